"""``modelwatch dashboard --from``: what it needs, what it says where that is missing, and what it never asks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from modelwatch.errors import Exit

from .fleet import write_fleet


def dashboard(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "modelwatch", "dashboard", *words]
    # Nobody listens there: whoever asks GitHub, PagerDuty or W&B fails.
    nowhere = {"GITHUB_API_URL": "http://127.0.0.1:9", "WANDB_BASE_URL": "http://127.0.0.1:9", "GITHUB_TOKEN": "t" * 40}
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env=os.environ | nowhere | env, check=False
    )


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    write_fleet(tmp_path, 3, rules=1, days=8)
    return tmp_path


def test_results_become_a_site_without_a_network(fleet: Path) -> None:
    ended = dashboard(fleet, "--from", "results", "--format", "json")
    assert ended.returncode == Exit.OK, ended.stderr
    assert json.loads(ended.stdout) == {
        "index": "site/index.html",
        "made": ["model-000", "model-001", "model-002"],
        "kept": [],
        "removed": [],
    }
    assert "GitHub and PagerDuty were not asked" in (fleet / "site/index.html").read_text()
    ended = dashboard(fleet, "--from", "results", "--model", "model-001", "--out", "one")
    assert ended.stdout == "one/index.html: 1 model written, 0 unchanged\n"


def test_targets_that_cannot_be_observed_are_a_problem_on_the_page(fleet: Path) -> None:
    ended = dashboard(fleet, "--from", "results", "--observe", MODELWATCH_TIMEOUT_SCALE="0.05")
    assert ended.returncode == Exit.PARTIAL, ended.stderr
    assert ended.stderr.startswith("note: issue and dispatch cannot be observed: GitHub (http://127.0.0.1:9)")
    page = (fleet / "site/models/model-000/index.html").read_text()
    assert "could not be read" in page
    assert "GitHub ((address not shown))" in page
    assert "127.0.0.1" not in page


def test_results_of_another_configuration_are_shown_with_a_note(fleet: Path) -> None:
    config = fleet / "modelwatch.yml"
    config.write_text(config.read_text().replace("drop: 5%", "drop: 6%"))
    ended = dashboard(fleet, "--from", "results")
    assert ended.returncode == Exit.OK
    assert "made with another configuration" in (fleet / "site/index.html").read_text()


def test_a_model_that_was_not_pulled_is_grey(fleet: Path) -> None:
    config = fleet / "modelwatch.yml"
    config.write_text(config.read_text().replace('"model-002"', '"new-model"'))
    assert dashboard(fleet, "--from", "results").returncode == Exit.OK
    index = (fleet / "site/index.html").read_text()
    assert 'data-health="grey"' in index
    assert "it is missing from the series file" in index


@pytest.mark.parametrize(
    ("words", "break_it", "text"),
    [
        (("--from", "nowhere"), None, "nowhere: there is no such folder. `modelwatch run --out` writes it."),
        (("--from", "results"), ("alerts.json", None), "there is no such file. Run `modelwatch evaluate` first."),
        (("--from", "results"), ("alerts.json", b"{"), "results/alerts.json:1: this is not JSON"),
        (("--from", "results"), ("series.jsonl", None), "there is no such file. Run `modelwatch pull` first."),
        (("--from", "results"), ("series.jsonl", b'{"format":1}\n'), "results/series.jsonl:1: this is not what"),
        (("--from", "results"), ("plan.json", b"[]"), "results/plan.json: this is not what the file should hold"),
        (("--observe",), None, "--observe goes with --from"),
    ],
)
def test_bad_input_is_one_clear_paragraph_and_makes_no_site(
    fleet: Path, words: tuple[str, ...], break_it: tuple[str, bytes | None] | None, text: str
) -> None:
    if break_it is not None:
        path, content = fleet / "results" / break_it[0], break_it[1]
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
    ended = dashboard(fleet, *words)
    assert ended.returncode == Exit.USAGE
    assert text in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (fleet / "site").exists()


def test_series_that_end_early_name_the_line_and_keep_the_site(fleet: Path) -> None:
    assert dashboard(fleet, "--from", "results").returncode == Exit.OK
    series = fleet / "results/series.jsonl"
    before, lines = (fleet / "site/index.html").read_bytes(), series.read_bytes().splitlines(keepends=True)
    series.write_bytes(b"".join(lines[:-1]))
    ended = dashboard(fleet, "--from", "results")
    assert ended.returncode == Exit.USAGE
    assert f"series.jsonl:{len(lines)}: the file ends early" in ended.stderr
    series.write_bytes(b"".join((*lines[:-1], b'{"name":1}\n')))
    ended = dashboard(fleet, "--from", "results")
    assert ended.returncode == Exit.USAGE
    assert f"series.jsonl:{len(lines)}: this is not what the line should hold" in ended.stderr
    assert (fleet / "site/index.html").read_bytes() == before


@pytest.mark.parametrize("missing", ["jinja2", "vl_convert"])
def test_a_missing_extra_is_one_line_that_says_how_to_install_it(fleet: Path, missing: str) -> None:
    program = fleet / "without.py"
    program.write_text(
        f"""
import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name == {missing!r}:
            raise ModuleNotFoundError(name=name)
sys.meta_path.insert(0, Without())
from modelwatch.cli import main
main(["dashboard", "--from", "results"])
"""
    )
    ended = subprocess.run([sys.executable, program], cwd=fleet, capture_output=True, text=True, check=False)
    assert ended.returncode == Exit.USAGE
    assert ended.stderr.startswith(f"error: {missing} is not installed. Install it with `")
    assert "modelwatch[dashboard]" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not (fleet / "site").exists()
