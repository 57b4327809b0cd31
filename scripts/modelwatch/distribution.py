"""Where modelwatch itself is published: the only place that says so; `make pin` writes it into our workflows."""

from __future__ import annotations

SLUG = "modelwatch/modelwatch"
"""``owner/name`` of the repository that holds the actions."""

PIN = "c7ea5d848d4ff798eeccc38d7b27f1ecd3bb977b"
"""The commit of the newest release, by which workflows use the actions; written by `make pin`."""
