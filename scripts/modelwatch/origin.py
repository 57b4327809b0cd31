"""Where modelwatch itself is published: the only place that says so; `make pin` writes it into our workflows."""

from __future__ import annotations

SLUG = "modelwatch/modelwatch"
"""``owner/name`` of the repository that holds the actions."""

PIN = "c332bba52406174a69073af16cb39e47ce7e1fef"
"""The commit of the newest release, by which workflows use the actions; written by `make pin`."""
