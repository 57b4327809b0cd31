"""Run shellcheck over our shell: the scripts, and every `run:` block of the workflows and composite actions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
SHELLCHECK = [str(Path(sys.executable).parent / "shellcheck"), "--severity=style", "--external-sources"]


def scripts() -> list[Path]:
    return sorted(
        path
        for folder in ("actions", ".ci", ".github", "tests")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and (path.suffix in (".sh", ".bash") or path.read_bytes()[:20] == b"#!/usr/bin/env bash\n")
    )


def blocks(path: Path) -> Iterator[tuple[str, str]]:
    """``(name of the step, script)`` of every step with a `run:`; we use no shell but bash."""
    document = yaml.safe_load(path.read_text())
    runs = [document["runs"]] if "runs" in document else list(document["jobs"].values())
    for run in runs:
        for place, step in enumerate(run.get("steps", [])):
            if "run" in step:
                yield step.get("name") or step.get("id") or f"step {place}", step["run"]


def main() -> int:
    files = scripts()
    worst = subprocess.run(
        [*SHELLCHECK, "--enable=quote-safe-variables,require-double-brackets", *files], cwd=ROOT
    ).returncode
    found = 0
    for path in sorted(
        [*ROOT.glob(".github/workflows/*.yml"), *ROOT.glob("actions/*/action.yml"), *ROOT.glob("tests/**/action.yml")]
    ):
        for name, script in blocks(path):
            found += 1
            result = subprocess.run(
                [*SHELLCHECK, "--shell=bash", "-"], input=script, text=True, capture_output=True, check=False
            )
            if result.returncode:
                print(f"{path.relative_to(ROOT)}: {name}\n{result.stdout}{result.stderr}", file=sys.stderr)
                worst = result.returncode
    print(f"shellcheck: {len(files)} scripts and {found} run blocks")
    return worst


if __name__ == "__main__":
    sys.exit(main())
