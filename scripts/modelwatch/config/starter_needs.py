"""What the files of ``modelwatch init`` need of others: lines in files that were there before, and secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

BUNDLE = "MODELWATCH_SECRETS"
OPTIONAL_SECRETS = frozenset((BUNDLE, "PAGERDUTY_TOKEN", "HEARTBEAT_URL", "COMMAND_ENVIRONMENT"))
"""Workflows pass them on, and only some configurations use them."""
_COMMENT = re.compile(r"(?:^|\s)#.*")
_KEY = re.compile(r"[\w-]+(?=:(?:\s|$))")
_WORKFLOW_SECRET = re.compile(r"\bsecrets\.([A-Z][A-Z0-9_]*)")
_CONFIG_SECRET = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


def advise_on_file(name: str, kept: str, whole: str, parts: Sequence[str]) -> str:
    """What to do with a file that was there and lacks what an option writes into it; empty where it lacks nothing.

    ``whole``: the file as all options together write it. ``parts``: the same file with one option fewer each. A key
    that ``kept`` has in another style, or with another value, is not missing.
    """
    kept_lines, whole_lines = _plain_lines(kept), _plain_lines(whole)
    keys = {key for line in kept_lines for key in _KEY.findall(line)}
    added = {line for part in parts for line in set(whole_lines) - set(_plain_lines(part))} - set(kept_lines)
    gone = {line for part in parts for line in set(_plain_lines(part)) - set(whole_lines)}
    if added and not gone.isdisjoint(kept_lines):
        return f"{name} was kept; these options write another one: for that one, move yours away and call `init` again."
    lines = [line for line in whole_lines if line in added and keys.isdisjoint(_KEY.findall(line)[:1])]
    return f"{name} was kept: add {', '.join(f'`{line}`' for line in lines)}." if lines else ""


def needed_secrets(files: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The secrets that the repository must have, and the names whose lines belong in the secret ``BUNDLE``.

    ``files``: texts by path, of the configurations and of the workflows that read them.
    """
    passed: dict[str, None] = {}
    used: dict[str, None] = {}
    for name, text in files.items():
        plain = "\n".join(_plain_lines(text))
        if name.startswith(".github/workflows/"):
            passed |= dict.fromkeys(_WORKFLOW_SECRET.findall(plain))
        else:
            used |= dict.fromkeys(_CONFIG_SECRET.findall(plain))
    secrets = [name for name in passed if name not in OPTIONAL_SECRETS or name in used]
    return secrets, [name for name in used if name not in passed]


def _plain_lines(text: str) -> list[str]:
    """Without comments, indentation and empty lines."""
    lines = (_COMMENT.sub("", line).strip() for line in text.splitlines())
    return [line for line in lines if line]
