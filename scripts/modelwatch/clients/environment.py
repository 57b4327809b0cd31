"""The environment, for those who may not read it themselves: clients may, targets and sources are handed it."""

from __future__ import annotations

import os
from collections.abc import Mapping


def environment() -> Mapping[str, str]:
    """The variables of this process."""
    return os.environ
