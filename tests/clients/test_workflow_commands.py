"""Workflow commands cannot be broken out of, and stay within GitHub's limits."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.clients.workflow_commands import (
    MAX_SUMMARY_BYTES,
    annotation,
    append_summary,
    format_output,
    set_output,
)
from modelwatch.errors import UserError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@settings(max_examples=100, deadline=None)
@given(TEXT, TEXT)
def test_an_annotation_is_one_line_whatever_it_says(message: str, file: str) -> None:
    line = annotation("error", message, f"a{file.replace(':', ',')}.yml:3")
    assert "\n" not in line
    assert "\r" not in line
    head, _, data = line.removeprefix("::error ").partition("::")
    assert data.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%") == message
    assert "line=3" in head.split(",")


def test_where_an_error_is() -> None:
    assert annotation("error", "bad", "modelwatch.yml:3:7") == "::error file=modelwatch.yml,line=3,col=7::bad"
    assert annotation("error", "bad: 5 %", "conf/a.yaml") == "::error file=conf/a.yaml::bad: 5 %25"
    assert annotation("error", "bad", "GitHub (https://api.github.com)") == "::error::bad"
    assert annotation("error", "bad") == "::error::bad"


@settings(max_examples=100, deadline=None)
@given(TEXT)
def test_an_output_comes_out_as_it_went_in(value: str) -> None:
    head, _, rest = format_output("report", value).partition("\n")
    name, _, delimiter = head.partition("<<")
    assert name == "report"
    assert delimiter not in value
    assert rest == f"{value}\n{delimiter}\n"


def test_outputs_are_appended_and_only_inside_of_actions(tmp_path: Path) -> None:
    env = {"GITHUB_OUTPUT": str(tmp_path / "out")}
    set_output("a", "1\nb=2", env)
    set_output("b", "x", env)
    assert format_output("a", "")[:3] == "a<<"
    assert (tmp_path / "out").read_text().count("modelwatch-") == 4
    set_output("a", "1", {})
    with pytest.raises(UserError):
        set_output("a<<b", "1", env)


def test_a_summary_ends_with_a_note_at_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "summary"
    env = {"GITHUB_STEP_SUMMARY": str(file)}
    append_summary("# Report", env)
    assert file.read_text() == "# Report\n"
    append_summary("é" * MAX_SUMMARY_BYTES, env)
    assert file.stat().st_size <= MAX_SUMMARY_BYTES
    assert "left out" in file.read_text()[-200:]
    append_summary("more", env)
    assert file.stat().st_size <= MAX_SUMMARY_BYTES
    append_summary("nowhere", {})
