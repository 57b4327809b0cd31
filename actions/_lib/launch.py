"""Start modelwatch out of this checkout of the action, in the locked environment; run with `python -I`."""

import sys
from pathlib import Path

if __name__ == "__main__":  # a process that modelwatch starts imports this script, too
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

    from modelwatch.cli import main

    main()
