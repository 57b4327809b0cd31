"""The JSON Schema says yes to every good configuration, no to mistakes, and describes every key."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from modelwatch.config.reader import Reader
from modelwatch.config.schema import json_schema
from modelwatch.config.secrets import Vault
from modelwatch.config.yaml_nodes import MappingNode, Node, ScalarNode, SequenceNode, parse_yaml

from .golden import BAD, GOOD

HERE = Path(__file__).parent
VALIDATOR = Draft202012Validator(json_schema())
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}


def as_editor(path: Path) -> Any:
    """A file as an editor sees it: typed by the core schema of YAML 1.2, merge keys resolved."""
    return typed(parse_yaml(path.read_bytes(), str(path)), Reader(str(path), path.parent, Vault({})))


def typed(node: Node, reader: Reader) -> Any:
    if isinstance(node, MappingNode):
        return {name: typed(value, reader) for name, (_, value) in reader.entries(node).items()}
    if isinstance(node, SequenceNode):
        return [typed(item, reader) for item in node.items]
    assert isinstance(node, ScalarNode)
    if not node.plain:
        return node.text
    if node.text in _WORDS:
        return _WORDS[node.text]
    if re.fullmatch(r"[-+]?[0-9]+", node.text):
        return int(node.text)
    if re.fullmatch(r"0x[0-9a-fA-F]+", node.text):
        return int(node.text, 16)
    if re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", node.text):
        return float(node.text)
    return node.text


def files(paths: list[Path]) -> list[Path]:
    return [file for path in paths for file in ([path] if path.is_file() else sorted(path.glob("*.y*ml")))]


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", files(GOOD), ids=lambda path: path.name)
def test_it_accepts_what_loads(path: Path) -> None:
    assert [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(as_editor(path))] == []


@pytest.mark.parametrize("name", ["models", "mutes", "rules", "secrets"])
def test_it_refuses_bad_files(name: str) -> None:
    path = HERE / "bad" / f"{name}.yml"
    assert path in BAD
    assert not VALIDATOR.is_valid(as_editor(path))


def model(config: Any) -> Any:
    return config["models"][0]


def rule(config: Any) -> Any:
    return model(config)["rules"][0]


def tier(config: Any) -> Any:
    return rule(config)["tiers"]["error"]


MISTAKES: list[tuple[Callable[[Any], Any], str, Any]] = [
    (lambda config: config, "version", 2),
    (lambda config: config, "model", []),
    (lambda config: config, "models", []),
    (model, "name", "two words"),
    (model, "nmae", "x"),
    (model, "pagerduty", {"routing_key": "0123456789abcdef0123456789abcdef"}),
    (model, "pagerduty", {"region": "uk"}),
    (model, "github", {"repository": "acme"}),
    (model, "workflows", {"retrain": "dir/retrain.yml"}),
    (model, "workflows", {"Re train": "retrain.yml"}),
    (model, "modes", {"issue": "maybe"}),
    (model, "silences", [{"rule": "accuracy", "owner": "@a", "reason": "why"}]),
    (rule, "window", "24"),
    (rule, "window", "a day"),
    (rule, "for", 0),
    (rule, "for", 1.5),
    (rule, "better", "up"),
    (rule, "aggregate", "median"),
    (rule, "tiers", {"fatal": {"above": 1}}),
    (rule, "min_weight", -1),
    (rule, "baseline", {"value": "high"}),
    (tier, "drop", "a lot"),
    (tier, "drop", -0.1),
    (tier, "do", [1, []]),
    (tier, "for", "2x"),
]


@pytest.mark.parametrize(
    ("at", "key", "value"), MISTAKES, ids=[f"{place}-{key}" for place, (_, key, _) in enumerate(MISTAKES)]
)
def test_it_refuses_one_mistake(at: Callable[[Any], Any], key: str, value: Any) -> None:
    config = as_editor(HERE / "good/design.yml")
    assert VALIDATOR.is_valid(config)
    broken = copy.deepcopy(config)
    at(broken)[key] = value
    assert not VALIDATOR.is_valid(broken)


def properties(schema: Any) -> Iterator[tuple[str, Any]]:
    for name, part in [("", schema), *schema["$defs"].items()]:
        for key, value in part.get("properties", {}).items():
            yield f"{name}.{key}", value


def test_every_key_is_described() -> None:
    found = dict(properties(json_schema()))
    assert len(found) > 100
    for name, value in found.items():
        assert len(value["description"]) > 5, name
