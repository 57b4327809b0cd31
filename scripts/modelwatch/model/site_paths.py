"""Where the pages of the dashboard lie: issue and page link to them before they are published."""

from __future__ import annotations

import hashlib
import re

MAX_SLUG = 80
_PLAIN_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,78}[a-z0-9_-])?")


def model_slug(name: str) -> str:
    """The folder of a model: its name where that is a plain one, else what is left of it and a hash of the name."""
    if _PLAIN_SLUG.fullmatch(name):
        return name
    rest = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[: MAX_SLUG - 20].strip("-") or "model"
    return f"{rest}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def model_path(model: str) -> str:
    """The page of a model, relative to the root of the site."""
    return f"models/{model_slug(model)}/"


def alert_path(model: str, group: str, episode: int, suffix: str = ".html") -> str:
    """The permalink of one episode of an alert, or with ``.png`` or ``.svg`` its picture; relative to the root."""
    return f"{model_path(model)}alerts/{group}-{episode}{suffix}"
