"""Whose something at PagerDuty is: only what bears our mark is ever changed."""

from __future__ import annotations

from ..clients.pagerduty_admin import Resource
from ..model.oncall import SetupKind, SetupRefusal, owner_in_mark, ownership_mark


def ownership_refusal(row: Resource, owner: str, kind: SetupKind, name: str) -> SetupRefusal | None:
    """Why something of the wanted name is left alone; ``None`` where it is ours."""
    found = owner_in_mark(str(row.get("description") or ""))
    if found == owner:
        return None
    if found:
        reason = f"there is one of this name already, and {found} manages it"
        hint = f"If that was this configuration, give `pagerduty: {{managed_as: {found}}}`; else choose another name."
    else:
        reason = "there is one of this name already, and modelwatch did not make it: its description bears no mark"
        hint = f"Choose another name, or hand it over: add `{ownership_mark(owner)}` to its description at PagerDuty."
    if kind is SetupKind.POLICY:
        hint += f" To use it as it is: `escalation: {name}`."
    return SetupRefusal(kind, name, reason, hint)


def find_by_name(rows: list[Resource], name: str) -> Resource | None:
    """PagerDuty allows a name once, whatever the case of its letters."""
    return next((row for row in rows if same_name(row.get("name"), name)), None)


def same_name(value: object, name: str) -> bool:
    """Names at PagerDuty differ by more than their letters' case."""
    return isinstance(value, str) and value.strip().casefold() == name.strip().casefold()
