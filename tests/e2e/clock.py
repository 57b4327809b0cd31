"""``python clock.py launch.py ARGUMENTS``: modelwatch at another time, so that hours need not be waited for.

It reads the clock in one place, and only there is it set forward, by as many seconds as the file E2E_CLOCK says.
"""

from __future__ import annotations

import os
import runpy
import sys
import time
from pathlib import Path


class Later:
    """Stands in for the module ``time`` where modelwatch reads the clock."""

    @staticmethod
    def time() -> float:
        return time.time() + float(Path(os.environ["E2E_CLOCK"]).read_text())


if __name__ == "__main__":
    sys.path.insert(0, str(Path(sys.argv[1]).resolve().parents[2] / "scripts"))
    from modelwatch.cli import options

    options.time = Later  # type: ignore[assignment,attr-defined]
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
