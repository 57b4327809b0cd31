"""Second commit of a release: make our workflows, the starter and the README use our actions at one commit.

python .ci/pin.py COMMIT     write it (40 hex digits; ``HEAD`` and the like are resolved)
python .ci/pin.py --check    only say which files are out of date, with status 1
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ORIGIN = ROOT / "scripts/modelwatch/distribution.py"


def constant(name: str) -> str:
    found = re.search(rf'^{name} = "([^"]+)"$', ORIGIN.read_text(), re.MULTILINE)
    if found is None:
        raise SystemExit(f"{ORIGIN} lacks {name}")
    return found[1]


def files() -> list[Path]:
    """Whatever may say `uses: <slug>/...@<commit>`."""
    return sorted(
        [*ROOT.glob(".github/**/*.yml"), *ROOT.glob("*.md"), *ROOT.glob(".github/*.md"), *ROOT.glob("runbooks/*.md")]
    )


def pinned(text: str, slug: str, commit: str) -> str:
    """``text`` with every use of a path in our repository at ``commit``.

    Our paths are known by their ends, whatever slug stands before them: so a changed slug is rewritten too.
    """
    ours = r"(uses:\s*)[\w.-]+/[\w.-]+(/actions/[\w-]+|/\.github/workflows/[a-z]+\.yml)@[\w.-]+"
    return re.sub(ours, lambda found: f"{found[1]}{slug}{found[2]}@{commit}", text)


def main(argument: str) -> int:
    if argument == "--check":
        commit = constant("PIN")
    else:
        git = subprocess.run(
            ["git", "rev-parse", "--verify", f"{argument}^{{commit}}"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        commit = git.stdout.strip()
        ORIGIN.write_text(ORIGIN.read_text().replace(f'PIN = "{constant("PIN")}"', f'PIN = "{commit}"'))
    stale = [path for path in files() if pinned(path.read_text(), constant("SLUG"), commit) != path.read_text()]
    for path in stale:
        print(path.relative_to(ROOT))
        if argument != "--check":
            path.write_text(pinned(path.read_text(), constant("SLUG"), commit))
    return 1 if stale and argument == "--check" else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    sys.exit(main(sys.argv[1]))
