"""Whether the workflows use a recent release of modelwatch's actions, which they name by commit."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from ..clients.github import quote_segment, repository_path
from ..errors import ServiceError
from ..timeutil import format_utc, parse_iso
from .condition import ConditionResult, State, quote
from .settings import Access

NAME = "pinned-actions"
FOLDER = ".github/workflows"
MAX_FILES = 50
MAX_RELEASES = 10
MAX_PINS = 5
PIN_BEFORE_TAG = 1
"""A release is two commits, and actions are used at the first, so one that is up to date lacks this many."""
_USES = re.compile(r"""^\s*-?\s*uses:\s*["']?([\w.-]+/[\w.-]+)(?:/[\w./-]+)?@([\w./-]+)""", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Release:
    tag: str
    published: float


def check_pinned_actions(access: Access) -> ConditionResult | None:
    """The oldest pin decides. Raises ServiceError."""
    settings = access.settings
    if not settings.actions:
        return None
    pins = _read_pins(access)
    if not pins:
        return ConditionResult(NAME, State.OK, f"no workflow uses actions of {quote(settings.actions)}")
    releases = _read_releases(access)
    if not releases:
        raise ServiceError(f"{settings.actions} has published no release")
    worst = max((_behind(access, pin, releases) for pin in pins[:MAX_PINS]), key=lambda found: found[:2])
    count, commits, pin = worst
    newest = quote(releases[0].tag)
    if not count:
        return ConditionResult(NAME, State.OK, f"the workflows use {newest}, the newest release")
    many = f"{'at least ' if count == len(releases) else ''}{count} release{'' if count == 1 else 's'}"
    text = f"the workflows use modelwatch at {quote(pin[:12])}: {many} ({commits} commits) behind {newest}"
    missed = releases[count - 1]
    if access.now - missed.published < settings.outdated_after:
        return ConditionResult(NAME, State.OK, f"{text}, which is young")
    what = f"{text}; the first of them is of {format_utc(missed.published)}"
    todo = "Update the commits in the workflows: see Upgrading in modelwatch's documentation."
    return ConditionResult(NAME, State.BROKEN, what, missed.published + settings.outdated_after, todo)


def _behind(access: Access, pin: str, releases: list[Release]) -> tuple[int, int, str]:
    """(newer releases, commits that the newest release has more, the pin). Raises ServiceError."""
    commits = 0
    for place, release in enumerate(releases):
        ahead = _commits_between(access, pin, release.tag)
        commits = commits or ahead
        if ahead <= PIN_BEFORE_TAG:
            return place, commits, pin
    return len(releases), commits, pin


def _commits_between(access: Access, pin: str, tag: str) -> int:
    path = f"{repository_path(access.settings.actions)}/compare/{quote_segment(pin)}...{quote_segment(tag)}"
    data = access.github.get(f"{path}?per_page=1", f"compare {pin[:12]} and {tag} of {access.settings.actions}")
    ahead = data.get("ahead_by")
    if not isinstance(ahead, int):
        raise ServiceError("GitHub's answer is no comparison of two commits")
    return ahead


def _read_releases(access: Access) -> list[Release]:
    """Newest first, at most ``MAX_RELEASES``. Raises ServiceError."""
    path = f"{repository_path(access.settings.actions)}/releases"
    pages = access.github.paginate(path, f"list the releases of {access.settings.actions}", {"per_page": MAX_RELEASES})
    rows = [row for row in next(pages, []) if not row.get("draft") and not row.get("prerelease")]
    try:
        return [Release(str(row["tag_name"]), parse_iso(str(row["published_at"]))) for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise ServiceError("GitHub's answer is no list of releases") from error


def _read_pins(access: Access) -> list[str]:
    """The commits or names by which the workflows use the actions. Raises ServiceError."""
    base, repository = repository_path(access.settings.repository), access.settings.repository
    action = f"read the workflows of {repository}"
    pages = access.github.paginate(f"{base}/contents/{FOLDER}", action, {}, permission="contents: read")
    names = [str(row.get("name") or "") for row in next(pages, []) if row.get("type") == "file"]
    pins = dict[str, None]()
    for name in [name for name in names if name.endswith((".yml", ".yaml"))][:MAX_FILES]:
        path = f"{base}/contents/{FOLDER}/{quote_segment(name)}"
        data = access.github.get(path, action, permission="contents: read")
        try:
            text = base64.b64decode(str(data["content"])).decode("utf-8", errors="replace")
        except (KeyError, binascii.Error, ValueError) as error:
            raise ServiceError(f"GitHub's answer is not the file {name}") from error
        found = _USES.findall(text)
        pins |= dict.fromkeys(pin for slug, pin in found if slug.lower() == access.settings.actions.lower())
    return list(pins)
