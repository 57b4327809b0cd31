"""``make chaos``: stories until so many evaluations were made, as a table; status 1 where anything is red.

Arguments: how many evaluations (1,000), and the seed of the first story (1).
"""

from __future__ import annotations

import itertools
import sys
import threading
import time

from ..crash.matrix import WORKERS
from .story import Story, play, stages
from .table import render

EVALUATIONS = 1000
FLOOD = 1000
"""Comments of strangers, in every fifth story."""


def main(arguments: list[str]) -> int:
    began = time.monotonic()
    wanted = int(arguments[0]) if arguments else EVALUATIONS
    seeds = itertools.count(int(arguments[1]) if len(arguments) > 1 else 1)
    lock, stories, broken = threading.Lock(), list[Story](), list[BaseException]()

    def made() -> int:
        return sum(len(one.codes) for story in stories for one in story.played)

    def work() -> None:
        try:
            with stages() as (world, other):
                while not broken and made() < wanted:
                    with lock:
                        seed = next(seeds)
                    story = play(world, other, seed, flood=0 if seed % 5 else FLOOD, source=seed % 4 == 0)
                    with lock:
                        stories.append(story)
                        print(f"  story {seed}: {made()} evaluations", file=sys.stderr, flush=True)
                        for problem in story.wrong:
                            print(f"  RED story {seed}: {problem}", flush=True)
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            broken.append(error)

    threads = [threading.Thread(target=work, name=f"chaos-{number}") for number in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if broken:
        raise broken[0]
    red = sum(bool(story.wrong) for story in stories)
    print(render(stories))
    print(f"\n{made()} evaluations in {len(stories)} stories, {red} red, {time.monotonic() - began:.0f} s")
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
