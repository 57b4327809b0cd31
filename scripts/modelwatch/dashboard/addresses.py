"""Addresses of services in the texts of errors: a published page does not tell them."""

from __future__ import annotations

import re

HIDDEN = "(address not shown)"
_ADDRESS = re.compile(
    r"""[a-z][a-z0-9+.-]*://[^\s'"<>()]*[^\s'"<>().,:;]"""
    r"""|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"""
    r"""|\[[0-9a-f:]+\](?::\d+)?"""
    r"""|(?<=host=)(['"])[^'"]*\1"""
    r"""|(?<=lookup )\S+""",
    re.IGNORECASE,
)


def hide_addresses(text: str) -> str:
    """``text`` without URLs, IP addresses and hosts."""
    return _ADDRESS.sub(HIDDEN, text)
