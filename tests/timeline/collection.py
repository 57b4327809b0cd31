"""Every story: each of these modules adds its own to ``STORIES``."""

from . import advice, causes, muted, numbers, past_episodes, people, records, releases, slow_declines, sources
from .stories import STORIES

__all__ = [
    "STORIES",
    "advice",
    "causes",
    "muted",
    "numbers",
    "past_episodes",
    "people",
    "records",
    "releases",
    "slow_declines",
    "sources",
]
