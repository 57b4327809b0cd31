"""Where modelwatch itself is published: the only place that says so; `make pin` writes it into our workflows."""

from __future__ import annotations

SLUG = "modelwatch/modelwatch"
"""``owner/name`` of the repository that holds the actions."""

PIN = "26dd079eefb0300cd81816c0c0eedf78a0a0ec89"
"""The commit of the newest release, by which workflows use the actions; written by `make pin`."""
