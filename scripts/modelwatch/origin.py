"""Where modelwatch itself is published: the only place that says so; `make pin` writes it into our workflows."""

from __future__ import annotations

SLUG = "modelwatch/modelwatch"
"""``owner/name`` of the repository that holds the actions."""

PIN = "a0dc14d27c219cb6d399f79e33a78a64db5698f1"
"""The commit of the newest release, by which workflows use the actions; written by `make pin`."""
