"""Sections: one statement of a default, and keys that were renamed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from modelwatch.config.field_types import Count, ListOf, Percentage, Text, duration
from modelwatch.config.reader import Reader
from modelwatch.config.secrets import Vault
from modelwatch.config.sections import Field, ParsedSection, Section
from modelwatch.config.yaml_nodes import parse_yaml

from .making import load_model


@dataclass(frozen=True)
class Oven:
    maker: str
    size: int = 3
    heat: float = 1800.0
    loss: float = 0.005
    uses: tuple[str, ...] = ("bread",)


OVEN = Section(
    "an oven",
    {
        "maker": Field(Text(), "Who made it.", required=True),
        "trays": Field(Count(), "How many trays it has.", attribute="size"),
        "heat": Field(duration(), "How long it heats."),
        "loss": Field(Percentage(), "Heat lost."),
        "uses": Field(ListOf(Text(), allow_single=True), "Its uses."),
    },
    dataclass=Oven,
    renamed={"size": "trays"},
)


def read(text: str) -> tuple[ParsedSection, Reader]:
    reader = Reader("oven.yml", Path(), Vault({}))
    section = OVEN.read(parse_yaml(text.encode(), "oven.yml"), reader)
    assert section is not None
    return section, reader


def test_a_section_builds_its_dataclass() -> None:
    section, reader = read("{maker: acme, trays: 5, uses: [bread, cake, bread]}")
    assert section.build(loss=0.1) == Oven("acme", 5, loss=0.1, uses=("bread", "cake"))
    assert section.setting("trays") == 5
    assert section.setting("heat") == 1800.0
    assert reader.problems() == []


def test_a_section_that_lacks_a_required_key_is_built_to_find_further_problems() -> None:
    section, reader = read("{trays: 5}")
    assert section.build() == Oven("", 5)
    assert len(reader.problems()) == 1


def test_defaults_come_from_the_dataclass_as_users_write_them() -> None:
    shown = {name: OVEN.shown_default(name) for name in OVEN.fields}
    assert shown == {"maker": None, "trays": 3, "heat": "30m", "loss": "0.5%", "uses": ["bread"]}


def test_an_old_name_is_read_with_a_warning_that_names_the_new_one() -> None:
    section, reader = read("{maker: acme, size: 5}")
    assert section.build() == Oven("acme", 5)
    assert reader.problems() == []
    assert reader.warnings() == [
        "oven.yml:1:15: `size` is now called `trays`; the next release no longer reads the old name."
    ]


def test_the_new_name_wins_over_the_old_one() -> None:
    section, reader = read("{maker: acme, trays: 4, size: 5}")
    assert section.build() == Oven("acme", 4)
    assert reader.warnings() == ["oven.yml:1:25: `size` is ignored: its new name `trays` is given, too."]


def test_an_editor_marks_the_old_name_as_deprecated() -> None:
    defs: dict[str, dict[str, object]] = {}
    OVEN.schema(defs)
    properties = defs["oven"]["properties"]
    assert isinstance(properties, dict)
    assert properties["size"] == {"description": "Now called trays.", "deprecated": True}


def test_configurations_with_the_old_names_stay_readable(tmp_path: Path) -> None:
    old = load_model(
        tmp_path,
        """
        release:
          artifact: a/b/c
          deploy: ./deploy.sh
          gate: {least: 7}
          canary: {least: 8}
          most: 9
          most_period: 2d
        """,
    )
    new = load_model(
        tmp_path,
        """
        release:
          artifact: a/b/c
          deploy: ./deploy.sh
          gate: {min_rows: 7}
          canary: {min_predictions: 8}
          max_rollbacks: 9
          rollback_period: 2d
        """,
    )
    assert old == new
    assert old.release is not None
    assert (old.release.gate.least, old.release.canary.least, old.release.most) == (7, 8, 9)
