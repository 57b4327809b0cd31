"""Semantic numbers of model versions: major is the algorithm, minor a retraining, patch a fix."""

from __future__ import annotations

from ..model.release import Registry
from .registry import number_parts

BUMPS = ("major", "minor", "patch")


def next_number(registry: Registry, bump: str) -> str:
    """The number after the highest one that any version has; the first is 1.0.0."""
    numbers = [number_parts(version.number) for version in registry.versions if version.number]
    if not numbers:
        return "1.0.0"
    major, minor, patch = max(numbers)
    match bump:
        case "major":
            return f"{major + 1}.0.0"
        case "patch":
            return f"{major}.{minor}.{patch + 1}"
        case _:
            return f"{major}.{minor + 1}.0"
