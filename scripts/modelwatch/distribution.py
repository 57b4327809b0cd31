"""Where modelwatch itself is published: the only place that says so; `make pin` writes it into our workflows."""

from __future__ import annotations

import os.path
import sys
from importlib.util import find_spec

SLUG = "modelwatch/modelwatch"
"""``owner/name`` of the repository that holds the actions."""

PIN = "b706c713133e8a30e22109e22029da004227853f"
"""The commit of the newest release, by which workflows use the actions; written by `make pin`."""

TESTING_FOLDER = "scripts"
"""The folder of the repository that the distribution ``modelwatch-testing`` is built from."""


def install_command(extra: str) -> str:
    """The command that adds an extra of modelwatch to this installation, from where modelwatch itself came.

    ``testing`` is a distribution of its own, whose dependency on modelwatch is met by what is installed.
    """
    name, origin = f"modelwatch[{extra}]", _origin()
    if extra == "testing":
        name, origin = "modelwatch-testing", f"{origin}#subdirectory={TESTING_FOLDER}"
    return f"{_installer()} '{name} @ {origin}'"


def _installer() -> str:
    """How packages get into this environment: pipx keeps one for each program, and those of uv have no pip."""
    if os.path.isfile(os.path.join(sys.prefix, "pipx_metadata.json")):  # pathlib: 6 % of `--help`
        return f"pipx runpip {os.path.basename(sys.prefix)} install"
    return "pip install" if find_spec("pip") else f"uv pip install --python {sys.executable}"


def _origin() -> str:
    """What pip can install modelwatch from again: the commit that is installed (PEP 610), else the repository, since no
    package index has modelwatch."""
    import json  # with metadata a third of `modelwatch --help`
    from importlib import metadata

    try:
        record = json.loads(metadata.distribution("modelwatch").read_text("direct_url.json") or "{}")
        commit = record["vcs_info"]
        return f"{commit['vcs']}+{record['url']}@{commit['commit_id']}"
    except (metadata.PackageNotFoundError, ValueError, KeyError, TypeError):
        return f"git+https://github.com/{SLUG}"
