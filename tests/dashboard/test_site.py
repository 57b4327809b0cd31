"""The site on disk: made of results, again only where something changed, and never half of a file."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from modelwatch.config.loader import load_config
from modelwatch.context import make_context
from modelwatch.dashboard.collect import Collection, collect_results, read_results
from modelwatch.dashboard.page import Annotation, AnnotationKind
from modelwatch.dashboard.site import INDEX, STATE, write_site
from modelwatch.dashboard.snapshot import ModelSnapshot
from modelwatch.errors import UserError
from modelwatch.model.site_paths import model_path
from modelwatch.timeutil import DAY, HOUR

from .fleet import NOW, write_fleet

ODD_NAME = "Churn_V2.EU"
RULES, DAYS = 2, 12


def collection(folder: Path, **more: object) -> Collection:
    results = read_results(folder / "results")
    config = load_config(folder / "modelwatch.yml", os.environ)
    return collect_results(make_context(config, results.judgement.at), results, **more)  # type: ignore[arg-type]


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    write_fleet(tmp_path, 9, rules=RULES, days=DAYS, names=("churn", ODD_NAME))
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_model_has_its_pages_and_a_row(fleet: Path) -> None:
    site = fleet / "site"
    written = write_site(site, collection(fleet))
    assert len(written.made) == 9
    index = (site / INDEX).read_text("utf-8")
    links = re.findall(r'<th scope="row"><a href="([^"]+)"', index)
    assert len(links) == 9
    for link in links:
        home = (site / link).resolve()
        assert home.is_relative_to(site.resolve())
        assert {path.name for path in home.parent.glob("*.html")} == {
            "index.html",
            "business.html",
            "operations.html",
            "ground-truth.html",
        }
    colours = re.findall(r'<tr data-health="(\w+)"', index)
    assert colours == ["red", "grey", "yellow", *["green"] * 6]
    assert ODD_NAME in index


def test_nothing_is_made_again_where_nothing_changed_and_one_where_one_did(fleet: Path) -> None:
    site = fleet / "site"
    write_site(site, collection(fleet))
    before = contents(site)
    again = write_site(site, collection(fleet))
    assert again.made == ()
    assert len(again.kept) == 9
    assert contents(site) == before
    write_fleet(fleet, 9, rules=RULES, days=DAYS, names=("churn", ODD_NAME), changed=(2,))
    assert write_site(site, collection(fleet)).made == ("model-002",)
    after = contents(site)
    changed = {name for name, content in after.items() if before.get(name) != content}
    assert changed <= {INDEX, STATE, *(name for name in after if name.startswith(model_path("model-002")))}
    assert f"{model_path('model-002')}{INDEX}" in changed


def test_only_what_has_changed_is_read_and_judged(fleet: Path) -> None:
    site = fleet / "site"
    write_site(site, collection(fleet))
    known = collection(fleet)

    def fail() -> None:
        raise AssertionError("read again")

    write_site(site, replace(known, models=tuple(replace(one, read=fail) for one in known.models)))  # type: ignore[arg-type]


def test_a_later_evaluation_of_the_same_points_keeps_pages_for_a_day(fleet: Path) -> None:
    site = fleet / "site"
    known = collection(fleet)
    write_site(site, known)
    assert write_site(site, replace(known, now=NOW + HOUR)).made == ()
    assert f"{NOW + HOUR:.0f}" in (site / "assets/built.js").read_text()
    assert len(write_site(site, replace(known, now=NOW + DAY + HOUR)).made) == 9


def test_what_people_add_makes_the_model_again(fleet: Path) -> None:
    site = fleet / "site"
    write_site(site, collection(fleet))
    note = Annotation(NOW - DAY, AnnotationKind.PERSON, "new campaign")
    added = collection(fleet, added=lambda model: (note,) if model.name == "churn" else ())
    assert write_site(site, added).made == ("churn",)
    assert "new campaign" in (site / model_path("churn") / INDEX).read_text()


def test_a_model_that_is_gone_loses_its_pages_and_nothing_else_does(fleet: Path) -> None:
    site = fleet / "site"
    write_site(site, collection(fleet))
    (site / "models/churn/own-notes.txt").write_text("kept")
    write_fleet(fleet, 9, rules=RULES, days=DAYS, names=("renamed", ODD_NAME))
    written = write_site(site, collection(fleet))
    assert (written.made, written.removed) == (("renamed",), ("churn",))
    assert [path.name for path in (site / "models/churn").iterdir()] == ["own-notes.txt"]


@pytest.mark.parametrize("state", ["", "{", "[]", '{"code": "x", "models": {"churn": 1}}', '{"code":"x","format":99}'])
def test_a_state_that_cannot_be_read_makes_everything_again(fleet: Path, state: str) -> None:
    site = fleet / "site"
    write_site(site, collection(fleet))
    (site / STATE).write_text(state)
    assert len(write_site(site, collection(fleet)).made) == 9


def test_a_state_cannot_remove_what_is_not_the_sites(fleet: Path) -> None:
    site = fleet / "site"
    write_site(site, collection(fleet))
    (fleet / "precious.txt").write_text("kept")
    state = json.loads((site / STATE).read_text())
    evil = {**state["models"]["churn"], "files": ["../precious.txt", "models/../../precious.txt", "/etc/hostname"]}
    (site / STATE).write_text(json.dumps({**state, "models": {**state["models"], "gone": evil}}))
    assert write_site(site, collection(fleet)).removed == ("gone",)
    assert (fleet / "precious.txt").read_text() == "kept"


def test_a_folder_of_something_else_is_left_alone(fleet: Path) -> None:
    (fleet / "src").mkdir()
    (fleet / "src/index.html").write_text("mine")
    with pytest.raises(UserError, match=r"files that `modelwatch dashboard` did not write.*--out"):
        write_site(fleet / "src", collection(fleet))
    assert contents(fleet / "src") == {"index.html": b"mine"}
    (fleet / "file").write_text("")
    with pytest.raises(UserError, match="cannot be"):
        write_site(fleet / "file", collection(fleet))


def test_a_build_that_is_killed_leaves_every_page_whole(fleet: Path) -> None:
    site = fleet / "site"
    write_site(site, collection(fleet))
    before = contents(site)
    write_fleet(fleet, 9, rules=RULES, days=DAYS, names=("churn", ODD_NAME), changed=tuple(range(9)))
    words = ["-m", "modelwatch", "dashboard", "--config", "modelwatch.yml", "--from", "results", "--out", "site"]
    child = subprocess.Popen([sys.executable, *words], cwd=fleet, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    changed = site / model_path("model-002") / INDEX
    while child.poll() is None and changed.read_bytes() == before[f"{model_path('model-002')}{INDEX}"]:
        time.sleep(0.001)
    child.send_signal(signal.SIGKILL)
    child.wait()
    for name, content in contents(site).items():
        if name.endswith(".html"):
            assert content.rstrip().endswith(b"</html>"), name
    written = write_site(site, collection(fleet))
    assert len(written.made) + len(written.kept) == 9
    whole = fleet / "whole"
    write_site(whole, collection(fleet))
    assert {name: text for name, text in contents(site).items() if name.endswith(".html")} == {
        name: text for name, text in contents(whole).items() if name.endswith(".html")
    }


def test_a_first_build_that_was_killed_is_made_again(tmp_path: Path) -> None:
    """Its files are known as ours from the first one on."""
    write_fleet(tmp_path, 2, rules=1)
    site = tmp_path / "site"
    made = collection(tmp_path)
    broken = replace(made, models=(replace(made.models[0], read=_die), *made.models[1:]))
    with pytest.raises(KeyboardInterrupt):
        write_site(site, broken)
    assert not (site / INDEX).exists()
    assert len(write_site(site, collection(tmp_path)).made) == 2


def _die() -> ModelSnapshot:
    raise KeyboardInterrupt
