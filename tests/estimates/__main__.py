"""``python -m tests.estimates``: 200 worlds of two classes, and as many of several and of numbers, with their coverage.

``python -m tests.estimates 50 numbers``: so many worlds, and of one task alone.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from .verdict import Verdict, judge, shares_covered
from .worlds import KINDS, make_world

WORLDS, FIRST = 200, 1000
"""Other worlds than those by which it was chosen how much intervals are widened."""
LEAST = 0.93
NAMES = {
    "two classes": ("accuracy", "f1", "auc", "log_loss", "brier", "precision", "recall"),
    "several classes": ("accuracy", "f1_macro", "auc_macro"),
    "numbers": ("mae", "rmse"),
}


def classes_of(task: str, seed: int) -> int:
    return {"two classes": 2, "numbers": 1}.get(task, 3 + seed % 4)


def main(arguments: list[str]) -> int:
    worlds = int(arguments[0]) if arguments else WORLDS
    holds = True
    for task, names in NAMES.items():
        if arguments[1:] and task not in arguments[1:]:
            continue
        began, verdicts, kinds = time.perf_counter(), list[Verdict](), list[str]()
        for seed in range(FIRST, FIRST + worlds):
            world = make_world(seed, classes=classes_of(task, seed))
            kinds.append(world.kind)
            verdicts.append(judge(world))
        seconds = (time.perf_counter() - began) / worlds
        print(f"{task}: {worlds} worlds, {seconds:.2f} s each")
        for kind in ("", *KINDS):
            own = [verdict for verdict, of in zip(verdicts, kinds, strict=True) if kind in ("", of)]
            covered = shares_covered(own)
            shown = "  ".join(f"{name} {100 * covered[name]:.1f} %" for name in names if name in covered)
            print(f"  {kind or 'all':<16} {shown}")
            if not kind:
                holds = holds and all(share >= LEAST for name, share in covered.items() if name in names[:3])
    said = [judge(make_world(seed, "none", concept=1.0)).distances for seed in range(FIRST, FIRST + worlds // 4)]
    found = float(np.mean([max(one[name] for name in ("accuracy", "f1", "auc") if name in one) > 1 for one in said]))
    print(f"another concept: the first labelled cohort says so in {100 * found:.0f} % of {len(said)} worlds")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
