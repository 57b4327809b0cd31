"""``make chaos``: stories until so many evaluations were made, as a table; status 1 where anything is red.

Arguments: how many evaluations (1,000), and the seed of the first story (1).
"""

from __future__ import annotations

import itertools
import sys
import time

from ..crash.world import World
from ..workers import work_off
from .story import Story, play, stages
from .table import render

EVALUATIONS = 1000
FLOOD = 1000
"""Comments of strangers, in every fifth story."""


def main(arguments: list[str]) -> int:
    began, stories = time.monotonic(), list[Story]()
    wanted = int(arguments[0]) if arguments else EVALUATIONS

    def made() -> int:
        return sum(len(one.codes) for story in stories for one in story.played)

    def attempt(worlds: tuple[World, World], seed: int) -> Story:
        return play(*worlds, seed, flood=0 if seed % 5 else FLOOD, source=seed % 4 == 0)

    def tell(story: Story) -> None:
        stories.append(story)
        print(f"  story {story.seed}: {made()} evaluations", file=sys.stderr, flush=True)
        for problem in story.wrong:
            print(f"  RED story {story.seed}: {problem}", flush=True)

    seeds = itertools.count(int(arguments[1]) if len(arguments) > 1 else 1)
    work_off(itertools.takewhile(lambda _: made() < wanted, seeds), stages, attempt, tell)
    red = sum(bool(story.wrong) for story in stories)
    print(render(stories))
    print(f"\n{made()} evaluations in {len(stories)} stories, {red} red, {time.monotonic() - began:.0f} s")
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
