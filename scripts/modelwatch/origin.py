"""Where modelwatch itself is published: the only place that says so; `make pin` writes it into our workflows."""

from __future__ import annotations

SLUG = "modelwatch/modelwatch"
"""``owner/name`` of the repository that holds the actions."""

PIN = "b4d1685920ea79888390af071c18dade5b8c6d30"
"""The commit of the newest release, by which workflows use the actions; written by `make pin`."""
