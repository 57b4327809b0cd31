"""``python -m tests.timeline [WORD ...]``: play the stories whose name has a word, and print what reached people."""

from __future__ import annotations

import sys
import time
from collections import Counter

from .collection import STORIES
from .services import start_services
from .timeline import Timeline


def main(words: list[str]) -> int:
    chosen = [one for one in STORIES if not words or any(word in one.play.__name__ for word in words)]
    totals: Counter[str] = Counter()
    paging = 0
    began = time.monotonic()
    print("| story | causes | pages needed | pages | too many | silent | wrong steps | wrong record |")
    print("|---|---|---|---|---|---|---|---|")
    with start_services() as services:
        for story in chosen:
            played = Timeline(services)
            story.play(played)
            played.end()
            wrong = Counter(one.kind for one in played.disagreements)
            row = {
                "causes": story.causes,
                "needed": played.wakes,
                "pages": len(played.notifications),
                "page": wrong["page"],
                "silence": wrong["silence"],
                "step": wrong["step"],
                "record": wrong["record"],
            }
            totals.update(row)
            paging += story.causes if played.wakes else 0
            print(f"| {story.name} | {' | '.join(map(str, row.values()))} |", flush=True)
            for found in played.disagreements:
                print(f"  hour {found.hour:g}: {found.kind}: {found.text[:600]}", file=sys.stderr)
    print(f"| **{len(chosen)} stories** | {' | '.join(str(totals[name]) for name in row)} |")
    # A cause about which something new happened that a person has to hear (worse, expired, failed, reminded) pages
    # once more for each of these.
    again = totals["needed"] - paging
    first, every = (totals["pages"] - again) / max(paging, 1), totals["pages"] / max(paging, 1)
    print(f"\nPages per true cause, of {paging} causes that page:")
    print(f"  {first:.2f} without the {again} pages about something new (worse, expired, failed, reminded)")
    print(f"  {every:.2f} with them")
    print(f"Pages per page that was needed: {totals['pages'] / max(totals['needed'], 1):.2f}.")
    print(f"Silent failures: {totals['silence']}. Wrong next steps: {totals['step']}. {time.monotonic() - began:.0f} s")
    return int(any(totals[name] for name in ("page", "silence", "step", "record")))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
