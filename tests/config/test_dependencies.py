"""``depends_on``: models that come before this one."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwatch.config.loader import load_config
from modelwatch.errors import ConfigError

MODEL = """\
  - name: {name}
    depends_on: {on}
    wandb: {{entity: acme, project: {name}-prod}}
    rules:
      - name: accuracy
        kind: accuracy-drop
        metric: accuracy
        baseline: {{value: 0.9}}
        tiers: {{error: {{drop: 5%}}}}
"""


def write(folder: Path, **dependencies: str) -> Path:
    path = folder / "modelwatch.yml"
    models = "".join(MODEL.format(name=name, on=on) for name, on in dependencies.items())
    path.write_text(f"version: 1\nmodels:\n{models}", "utf-8")
    return path


def test_one_or_several(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, maps="[]", eta="maps", price="[eta, maps]"), {})
    assert [model.depends_on for model in config.models] == [(), ("maps",), ("eta", "maps")]


@pytest.mark.parametrize(
    ("dependencies", "message"),
    [
        ({"maps": "[]", "eta": "map"}, "there is no model `map` to depend on."),
        ({"maps": "maps"}, "a model cannot depend on itself."),
        ({"maps": "price", "eta": "maps", "price": "eta"}, "`eta` and `maps`, `price` depend on each other."),
    ],
)
def test_what_cannot_be(tmp_path: Path, dependencies: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(write(tmp_path, **dependencies), {})
    assert [problem.message for problem in error.value.problems] == [message]
