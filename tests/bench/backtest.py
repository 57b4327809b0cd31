"""Replaying a year of 50 rules, judged every hour, with everything that is planned; and the alerts of one setting."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

from .measure import Row

SECONDS, SETTING_SECONDS = 10.0, 1.2
"""For the whole replay on two cores; and for the alerts of one rule: 200 settings in two minutes on two cores."""


def rows() -> Iterator[Row]:
    command = [sys.executable, "-m", "tests.bench.year_replay"]
    told = [json.loads(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(2)]
    whole, each = (min(one[name] for one in told) for name in ("replay", "setting"))
    what = f"{told[0]['episodes']} episodes, {told[0]['effects']} changes"
    yield Row("a year of 50 rules, hour by hour", f"{whole:.1f} s", f"{SECONDS:.0f} s; {what}", whole / SECONDS, 1.0)
    yield Row("the alerts of one rule in a year", f"{each:.2f} s", "200 settings in 2 min on two cores",
              each / SETTING_SECONDS, 1.0)  # fmt: skip
