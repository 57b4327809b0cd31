"""The runbooks hold what they promise; and what checks them finds each kind of fault that is planted."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import pytest

from modelwatch.cli import group
from modelwatch.config.vocabulary import KINDS
from modelwatch.runbooks.check import check_builtin_pages, split_commands, starter_workflow_inputs
from modelwatch.runbooks.check import command_problem as wrong_in
from modelwatch.runbooks.page import (
    PAGES_DIR,
    SECTIONS,
    TABLE_COLUMNS,
    TABLE_SECTION,
    decision_rows,
    read_page,
    read_placeholders,
)

RUNBOOKS = Path(__file__).parents[2] / "runbooks"
PAGES = [RUNBOOKS / f"{kind}.md" for kind in KINDS]


def check_folder(folder: Path, kinds: Collection[str]) -> list[str]:
    return check_builtin_pages(folder, kinds, group)


def wrong(argv: list[str]) -> str:
    return wrong_in(argv, group)


def test_every_page_of_the_repository_is_in_the_package() -> None:
    """A link for each: the build takes what they lead to."""
    assert {path.name for path in PAGES_DIR.iterdir()} == {path.name for path in RUNBOOKS.glob("*.md")}
    assert all(path.resolve() == RUNBOOKS / path.name for path in PAGES_DIR.iterdir())


def test_the_runbooks_are_without_a_fault() -> None:
    assert check_folder(RUNBOOKS, KINDS) == []


def test_every_kind_has_a_page_with_commands_of_ours() -> None:
    assert len(PAGES) == len(KINDS)
    for path in PAGES:
        lines = [line for _, line in read_page(path).commands()]
        assert sum(line.startswith("modelwatch ") for line in lines) >= 2, path.name


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_first_five_minutes_and_the_recovery_have_commands(path: Path) -> None:
    page, section, found = read_page(path), "", set()
    for line in page.lines:
        section = line[3:] if line.startswith("## ") else section
        if line.startswith(("modelwatch ", "gh ")):
            found.add(section)
    assert {"First five minutes", "How to confirm recovery"} <= found


def test_no_page_repeats_another() -> None:
    """What it means, who is hurt and the rows of the decision table are a page's own."""
    own: Counter[str] = Counter()
    for path in PAGES:
        page, section = read_page(path), ""
        own.update(
            {"|".join(cells) for _, cells in decision_rows(page) if cells != TABLE_COLUMNS and set(cells[0]) != {"-"}}
        )
        for _, line in page.prose():
            section = line[3:] if line.startswith("## ") else section
            if section in SECTIONS[:2] and line and not line.startswith("#"):
                own[line] += 1
    assert [text for text, count in own.items() if count > 1] == []
    assert len(own) > 150


def test_every_placeholder_is_explained_and_used() -> None:
    examples = read_placeholders(read_page(RUNBOOKS / "README.md"))
    text = "\n".join(line for path in PAGES for _, line in read_page(path).commands())
    assert {"MODEL", "ISSUE", "VERSION", "KEY"} <= examples.keys()
    assert [name for name in examples if name not in text] == []


def test_the_workflows_are_those_that_init_writes() -> None:
    assert {"modelwatch.yml", "retrain.yml", "rollback.yml"} <= starter_workflow_inputs().keys()
    assert set(starter_workflow_inputs()["rollback.yml"]) >= {"key", "model", "target_version"}


# --- The checker finds what is planted.


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RUNBOOKS, tmp_path / "runbooks"))


def plant(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text, f"{path.name} has no {old!r}"
    path.write_text(text.replace(old, new, 1), "utf-8")


FAULTS = {
    "an unknown command": ("modelwatch diagnose MODEL", "modelwatch diagnos MODEL", "there is no command 'diagnos'"),
    "an unknown subcommand": ("baseline capture --model MODEL --version T", "baseline take --version T", "'take'"),
    "an unknown option": ("run --dry-run --model", "run --dry-run --modle", "No such option"),
    "an option of another command": ("explain --model MODEL", "explain --model MODEL --dry-run", "No such option"),
    "a missing option": ("capture --model MODEL --version VERSION", "capture", "Missing option '--model'"),
    "an argument too many": ("modelwatch diagnose MODEL", "modelwatch diagnose MODEL now", "unexpected extra argument"),
    "a program we do not use": ("modelwatch diagnose MODEL", "kubectl get pods", "the pages do not use kubectl"),
    "a comment in passing": ("Everybody who", "`/modelwatch hush`. Everybody who", "no command of an issue"),
    "an unknown command of gh": ("gh issue view", "gh issue show", "do not use gh issue show"),
    "an unknown option of gh": ("--comments", "--comment", "has no option --comment"),
    "an unknown workflow": ("gh workflow run rollback.yml", "gh workflow run undo.yml", "writes no undo.yml"),
    "an unknown input": ("-f target_version=", "-f target=", "has no input target"),
    "a forgotten input": ("-f key=KEY ", "", "needs the input key"),
    "an unknown placeholder": ("--model MODEL", "--model NAME", "does not explain NAME"),
    "a dead link": ("(segment-drop.md)", "(segments-drop.md)", "leads nowhere: segments-drop.md"),
    "a dead heading": ("#placeholders", "#words", "has no heading #words"),
    "a missing section": ("## Who may decide\n", "", "'Who may decide' is missing"),
    "a renamed section": ("## Who is hurt", "## Who suffers", "no page has a section 'Who suffers'"),
    "an empty section": ("## Afterwards\n", "## Afterwards\n\n## Later\n", "'Afterwards' is empty"),
    "no answer first": ("**The model is right", "The model is right", "the answer in bold"),
    "no decision table": ("| What you see | Likely", "| What | Likely", "there is no table"),
    "an empty cell": ("| the new version is worse |", "| |", "3 cells, all filled"),
    "a quotation that is none": ("same version for weeks", "`very few rows`", "never shows `very few rows`"),
    "a state that is none": ("`retrain: success`", "`retrain: well`", "never shows `retrain: well`"),
    "an exit code that is none": ("Everybody who", "Exit code 7. Everybody who", "exit code 7"),
    "a long line": ("Everybody who", f"Everybody{' and everybody' * 12} who", "longer than"),
    "a long page": ("## Afterwards\n", "## Afterwards\n" + "\n- more" * 20, "too long to read at night"),
}


PLANTED = ("accuracy-drop.md", "canary-failed.md", "rollback-failed.md")
"""The first of them that has what is to be spoilt."""


@pytest.mark.parametrize(("old", "new", "told"), FAULTS.values(), ids=FAULTS.keys())
def test_a_planted_fault_is_found(copy: Path, old: str, new: str, told: str) -> None:
    path = next(path for path in map(copy.joinpath, PLANTED) if old in path.read_text("utf-8"))
    plant(path, old, new)
    problems = check_folder(copy, KINDS)
    assert any(told in problem and problem.startswith(f"{path.name}:") for problem in problems), problems


def test_sections_out_of_order_are_found(copy: Path) -> None:
    path = copy / "latency.md"
    plant(path, "## Who is hurt", "## What")
    plant(path, "## What it means", "## Who is hurt")
    plant(path, "## What\n", "## What it means\n")
    assert check_folder(copy, KINDS) == ["latency.md:9: the sections are out of order"]


def test_too_few_rows_are_found(copy: Path) -> None:
    path = copy / "latency.md"
    page = read_page(path)
    drop = {number for number, _ in decision_rows(page)[4:]}
    kept = [line for number, line in enumerate(page.lines, 1) if number not in drop]
    path.write_text("\n".join(kept) + "\n", "utf-8")
    assert [problem.partition(": ")[2] for problem in check_folder(copy, KINDS)] == [
        "the decision table has 2 rows, fewer than 3"
    ]


def test_a_comment_that_modelwatch_would_refuse_is_found(copy: Path) -> None:
    plant(copy / "data-drift.md", "/modelwatch silence 12h drift", "/modelwatch silence drift")
    plant(copy / "business-metric.md", "/modelwatch ack", "/modelwatch acknowledge")
    first, second = check_folder(copy, KINDS)
    assert "no command of an issue" in first
    assert "a length and a reason" in second


def test_a_kind_without_a_page_is_found(copy: Path) -> None:
    (copy / "latency.md").unlink()
    problems = check_folder(copy, KINDS)
    assert "latency.md: the kind has no page" in problems
    assert any(problem.startswith("README.md:") and "leads nowhere: latency.md" in problem for problem in problems)


def test_a_page_without_a_kind_that_nobody_reaches_is_found(copy: Path) -> None:
    shutil.copy(copy / "latency.md", copy / "slowness.md")
    assert check_folder(copy, KINDS) == [
        "slowness.md: there is no such kind, so no alert links it",
        "slowness.md: README.md does not link it",
    ]


def test_every_command_of_a_pipe_is_looked_at() -> None:
    assert split_commands("modelwatch check | jq . && modelwatch nothing") == [
        ["modelwatch", "check"],
        ["jq", "."],
        ["modelwatch", "nothing"],
    ]
    assert wrong(["modelwatch"]) == "there is no command ''"
    assert wrong(["modelwatch", "check", "--format", "xml"]) != ""
    assert wrong(["modelwatch", "baseline", "capture", "--model", "m", "--out", "o", "--since", "soon"]) != ""
    assert wrong(["modelwatch", "apply", "--only", "page"]).startswith("Missing option '--digest'")
    assert wrong(["modelwatch", "apply", "--only", "page", "--digest", "ab"]) == ""


def test_the_decision_table_stands_under_its_heading() -> None:
    assert all(len(decision_rows(read_page(path))) >= 5 for path in PAGES)
    assert TABLE_SECTION in SECTIONS
