"""annotations.yml: what is appended is read again, whatever it says; problems name their line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.config.annotations import ANNOTATIONS_FILE, annotations_path, append_annotation, read_annotations
from modelwatch.errors import ConfigError
from modelwatch.model.added_annotation import AddedAnnotation
from modelwatch.timeutil import HOUR

MODELS = frozenset({"churn", "fraud"})
AT = 1_790_000_000.0
TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Co", "Cn")), min_size=1, max_size=60)


def problems(path: Path, text: str) -> list[str]:
    path.write_text(text, "utf-8")
    return [str(problem) for problem in read_annotations(path, MODELS)[1]]


def test_without_a_file_there_are_none(tmp_path: Path) -> None:
    assert read_annotations(tmp_path / ANNOTATIONS_FILE, MODELS) == ((), ())


def test_entries_are_appended_and_come_by_time(tmp_path: Path) -> None:
    path = tmp_path / ANNOTATIONS_FILE
    later = AddedAnnotation(AT + HOUR, "New prices", models=("churn",), url="https://x.example/1", by="ada")
    first = AddedAnnotation(AT, "Campaign", until=AT + 2 * HOUR)
    assert append_annotation(path, later)
    path.write_text(path.read_text("utf-8") + "# a person's comment\n", "utf-8")
    assert append_annotation(path, first)
    assert not append_annotation(path, first), "twice is once"
    assert read_annotations(path, MODELS) == ((first, later), ())
    assert "# a person's comment" in path.read_text("utf-8")
    assert [first.is_about("fraud"), later.is_about("fraud")] == [True, False]


@settings(deadline=None, max_examples=200)
@given(TEXTS.map(str.strip).filter(bool))
def test_any_text_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("any") / ANNOTATIONS_FILE
    append_annotation(path, AddedAnnotation(AT, text))
    assert [one.text for one in read_annotations(path, MODELS)[0]] == [text]


@pytest.mark.parametrize("text", ["${PAGERDUTY_TOKEN}", "${{ secrets.X }}", "- not: yaml", "a: b # c", '"', "\\"])
def test_a_text_is_never_more_than_a_text(tmp_path: Path, text: str) -> None:
    path = tmp_path / ANNOTATIONS_FILE
    append_annotation(path, AddedAnnotation(AT, text))
    assert [one.text for one in read_annotations(path, MODELS)[0]] == [text]


def test_every_problem_is_reported_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / ANNOTATIONS_FILE
    text = "- {at: yesterday, text: x}\n- {at: 2026-11-20, until: 2026-11-19, text: y, models: chrn}\n- {text: z}\n"
    found = problems(path, text)
    assert [problem.split(": ")[0].rpartition("/")[2] for problem in found] == [
        "annotations.yml:1:8",
        "annotations.yml:2:27",
        "annotations.yml:2:56",
        "annotations.yml:3:3",
    ]
    assert "Did you mean `churn`?" in found[2]


def test_the_file_lies_beside_a_configuration_or_in_its_folder(tmp_path: Path) -> None:
    assert annotations_path(tmp_path / "modelwatch.yml") == tmp_path / ANNOTATIONS_FILE
    assert annotations_path(tmp_path) == tmp_path / ANNOTATIONS_FILE


def test_one_entry_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    path = tmp_path / ANNOTATIONS_FILE
    found = problems(path, "- {at: 2026-11-20, text: gone, models: removed}\n- {at: 2026-11-20, text: kept}\n")
    assert len(found) == 1
    assert [one.text for one in read_annotations(path, MODELS)[0]] == ["kept"]


def test_what_is_no_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / ANNOTATIONS_FILE).write_text("text: x\n", "utf-8")
    with pytest.raises(ConfigError, match="no list of annotations"):
        read_annotations(tmp_path / ANNOTATIONS_FILE, MODELS)
