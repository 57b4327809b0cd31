"""Print what the relay's image needs: the extra `relay`, and click; the rest of modelwatch's dependencies stay out."""

from __future__ import annotations

import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
needed = [*project["optional-dependencies"]["relay"], *(name for name in project["dependencies"] if "click" in name)]
print("\n".join(needed))
