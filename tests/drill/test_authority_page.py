"""Who may approve what, from the configuration, and how fast it was: the same input gives the same page."""

from __future__ import annotations

from pathlib import Path

from modelwatch.model.drill import GameDayTimes
from modelwatch.report.authority import authority_page, read_times
from tests.drill.making import NOW, read_model

TIMES = GameDayTimes(NOW, "staging, acme/churn-drill", 3600.0, 0.0, 240.0, 300.0, 7200.0)
PEOPLE = "    owner: '@acme/ml'\n"


def test_it_says_who_may_and_how_fast(tmp_path: Path) -> None:
    model = read_model(tmp_path, more=PEOPLE)
    page = authority_page({"churn": model}, {"churn": TIMES})
    assert "| `retrain` | starts automatically | nobody: `github.people` is empty |" in page
    assert "| `rollback` | waits for approval |" in page
    assert "| approval: from the proposal to a person's word | 4 min |" in page
    assert "| **in all** | **3 h 9 min** |" in page
    assert "2026-11-30 00:53 UTC" in page


def test_it_keeps_what_was_measured(tmp_path: Path) -> None:
    model = read_model(tmp_path)
    page = authority_page({"churn": model}, {"churn": TIMES})
    assert read_times(page) == {"churn": TIMES}
    assert authority_page({"churn": model}, read_times(page)) == page


def test_without_a_game_day_it_says_so(tmp_path: Path) -> None:
    page = authority_page({"churn": read_model(tmp_path)}, {})
    assert "No game day yet" in page
    assert read_times(page) == {}


def test_an_automatic_rollback_needs_no_approval_and_shows_none(tmp_path: Path) -> None:
    times = GameDayTimes(NOW, "stand-ins", 3600.0, 0.0, None, 300.0, 7200.0)
    page = authority_page({"churn": read_model(tmp_path)}, {"churn": times})
    assert "approval:" not in page
    assert "| **in all** | **3 h 5 min** |" in page


def test_a_comment_that_somebody_changed_is_left_out(tmp_path: Path) -> None:
    page = authority_page({"churn": read_model(tmp_path)}, {"churn": TIMES})
    assert read_times(page.replace('"move":300.0', '"move":"soon"')) == {}
    assert read_times(page.replace('{"approval"', '{"approval')) == {}
