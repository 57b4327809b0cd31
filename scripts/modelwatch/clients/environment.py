"""The environment, for those who may not read it themselves: clients may, targets and sources are handed it."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from contextlib import suppress


def environment() -> Mapping[str, str]:
    """The variables of this process."""
    return os.environ


CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
"""A file with a private authority's certificates: the first is read by requests (GitHub, PagerDuty, W&B's storage), the
second by OpenSSL and by W&B's own process."""


def ca_file(env: Mapping[str, str]) -> str:
    """The file of certificates that either variable names; empty for those of the system."""
    return next((env[name] for name in CA_VARIABLES if env.get(name)), "")


def share_ca_file(env: MutableMapping[str, str]) -> None:
    """Let either variable suffice for all clients."""
    if path := ca_file(env):
        for name in CA_VARIABLES:
            env.setdefault(name, path)


def workflow_run_url(env: Mapping[str, str]) -> str:
    """The page of the workflow run that this process is a part of; empty outside of GitHub Actions."""
    if env.get("GITHUB_ACTIONS") != "true":
        return ""
    server = env.get("GITHUB_SERVER_URL", "https://github.com")
    return f"{server}/{env.get('GITHUB_REPOSITORY', '')}/actions/runs/{env.get('GITHUB_RUN_ID', '')}"


def proxy_url(url: str, env: Mapping[str, str]) -> str:
    """The proxy that the variables name for ``url`` (``HTTPS_PROXY``, ``ALL_PROXY``, ``NO_PROXY``, in either case), as
    the other clients read them: one without a scheme speaks plain HTTP, and ``NO_PROXY`` can name networks. Empty for
    none."""
    from urllib.parse import urlsplit
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

    parts = urlsplit(url)
    named = {name: _proxy_variable(name, env) for name in (parts.scheme, "all", "no")}
    proxy = named[parts.scheme] or named["all"]
    if not proxy or proxy_bypass_environment(parts.netloc, named) or _is_within(parts.hostname or "", named["no"]):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _proxy_variable(name: str, env: Mapping[str, str]) -> str:
    return (env.get(f"{name}_proxy") or env.get(f"{name}_proxy".upper(), "")).strip()


def _is_within(host: str, networks: str) -> bool:
    """Whether ``host`` is an address in one of ``networks``, such as ``10.0.0.0/8, fd00::/8``."""
    from ipaddress import ip_address, ip_network

    for text in networks.split(","):
        with suppress(ValueError):  # names among them are for others
            if "/" in text and ip_address(host) in ip_network(text.strip(), strict=False):
                return True
    return False
