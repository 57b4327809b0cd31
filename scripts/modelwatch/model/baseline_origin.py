"""Where a captured baseline comes from, and whether it is of another model or source than the one that uses it."""

from __future__ import annotations

from pathlib import PurePath


def describe_origin(entity: str, project: str, path: str) -> str:
    """Where a model's history is read from, as in ``BaselineEntry.source``, where the period follows. ``path``: of a
    table or of offline W&B runs, where it reads those."""
    return path or (f"W&B {entity}/{project}" if project else "a table")


def foreign_origin(model: str, origin: str, captured_for: str, source: str = "") -> str:
    """Why a value is not of ``model``, which reads ``origin``; empty where it is, or nothing is known of it.

    ``captured_for``: the model that it was captured for; ``source``: see ``BaselineEntry``. Folders can differ from one
    machine to the next.
    """
    if captured_for and captured_for != model:
        return f"was captured for the model {captured_for}"
    captured = source.rpartition(", ")[0]
    if captured.startswith("W&B ") and origin.startswith("W&B "):
        is_foreign = captured != origin
    else:
        is_foreign = bool(captured) and PurePath(captured).name != PurePath(origin).name
    return f"was captured from {captured}; {model} reads {origin}" if is_foreign else ""
