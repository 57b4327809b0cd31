"""Print a software bill of materials (CycloneDX 1.5) of an installation, from the lock file alone: the same every time.

python .ci/sbom.py LOCKFILE
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

_PINNED = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?==(?P<version>[^\s;\\]+)(?P<rest>(?:.*\\\n)*.*)$", re.MULTILINE
)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def components(lock: str) -> list[dict[str, Any]]:
    """Every pinned package, with the hashes of the files that may be installed."""
    return [
        {
            "type": "library",
            "bom-ref": f"pkg:pypi/{found['name'].lower()}@{found['version']}",
            "name": found["name"],
            "version": found["version"],
            "purl": f"pkg:pypi/{found['name'].lower()}@{found['version']}",
            "properties": [{"name": "sha256", "value": value} for value in sorted(_HASH.findall(found["rest"]))],
        }
        for found in _PINNED.finditer(lock)
    ]


def bill(root: Path, lock: Path) -> dict[str, Any]:
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    name, version = project["name"], project["version"]
    about = {"type": "application", "bom-ref": name, "name": name, "version": version}
    about |= {"purl": f"pkg:pypi/{name}@{version}", "licenses": [{"license": {"id": project["license"]}}]}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": about},
        "components": components(lock.read_text("utf-8")),
    }


if __name__ == "__main__":
    print(json.dumps(bill(Path(__file__).resolve().parents[1], Path(sys.argv[1])), indent=1))
