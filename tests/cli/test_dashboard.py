"""``modelwatch dashboard`` with the services that it reads: what fires, what is done, what cannot be read."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

from modelwatch.errors import Exit
from modelwatch.testing.standins.faults import Fault

from .test_diagnose import furnish
from .world import World


class Answers(HTMLParser):
    """The text of each answer, by what it answers."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self._name = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._name = dict(attrs).get("data-answer") or self._name
        if tag == "nav":
            self._name = ""

    def handle_data(self, data: str) -> None:
        if self._name and data.strip():
            self.texts[self._name] = f"{self.texts.get(self._name, '')} {data.strip()}".strip()


def alert_pages(world: World) -> list[Path]:
    return sorted((world.folder / "site/models/churn/alerts").glob("*.html"))


def colour(page: str) -> str:
    """Of what the page is about."""
    found = re.search(r'<div class="state">\s*<span class="health health-(\w+)"', page)
    assert found
    return found[1]


def alert_colours(page: str) -> list[str]:
    """Of the alerts that the page of a model lists."""
    listed = page[page.index('id="alerts-title"') :].partition("</section>")[0]
    return re.findall(r"health health-(\w+)", listed)


def page_of(world: World, name: str = "index.html") -> str:
    return (world.folder / "site/models/churn" / name).read_text("utf-8")


def test_the_page_of_a_model_that_broke_tells_what_diagnose_tells(world: World) -> None:
    furnish(world)
    world.run("run")
    ran = world.run("dashboard", "--out", "site")
    assert (ran.code, ran.out) == (Exit.OK, "site/index.html: 1 model written, 0 unchanged\n")
    answers = Answers(page_of(world)).texts
    assert answers["health"].startswith("Is it healthy? No: 2 alerts fire (at worst critical). Since 2026-11-20 ")
    assert "accuracy (region=latam alone) is 0.6, 34.8 % below its baseline" in answers["problem"]
    assert "No: inputs fires (tenure)" in answers["inputs"] or "No: inputs fires" in answers["inputs"]
    assert "version v6 (healthy) → v7" in answers["change"]
    assert "the on-call was paged at" in answers["doing"].lower()
    assert re.search(r"issue #\d+ is open", answers["doing"])
    page = page_of(world)
    assert world.issues[0].title
    assert f"{world.github.url}/acme/churn-model/issues/{world.issues[0].number}" in page
    assert ">Incident</a>" in page
    fleet = (world.folder / "site/index.html").read_text("utf-8")
    assert '<tr data-health="red"' in fleet
    assert "rollback" in fleet.lower()


def test_it_changes_nothing_at_the_services(world: World) -> None:
    furnish(world)
    world.run("run")
    before = [(issue.title, issue.body, issue.state) for issue in world.issues]
    incidents = [(one.status, one.title) for one in world.pagerduty.standin.state.incidents]
    assert world.run("dashboard").code == Exit.OK
    assert [(issue.title, issue.body, issue.state) for issue in world.issues] == before
    assert [(one.status, one.title) for one in world.pagerduty.standin.state.incidents] == incidents


def test_a_github_that_is_down_is_said_and_the_rest_is_shown(world: World) -> None:
    furnish(world)
    world.run("run")
    assert world.run("dashboard").code == Exit.OK
    (alert,) = [path for path in alert_pages(world) if "accuracy (region=latam alone)" in path.read_text("utf-8")]
    known = alert.read_text("utf-8")
    world.github.inject(Fault("status", status=503, times=-1))
    ran = world.run("dashboard")
    assert ran.code == Exit.PARTIAL
    assert "note: " in ran.err
    assert "cannot be observed" in ran.err
    page = page_of(world)
    assert "could not be read" in page
    assert "cannot be observed" in page
    assert "34.8 % below its baseline" in page
    after = alert.read_text("utf-8")
    links = re.findall(r"<dt>(?:Issue|Incident)</dt>.*", known)
    assert len(links) >= 1
    assert ">At PagerDuty</a>" in links[-1]
    assert re.findall(r"<dt>(?:Issue|Incident)</dt>.*", after) == links
    step = re.findall(r"<dt>What do I do next\?</dt>.*", known)
    assert step
    assert re.findall(r"<dt>What do I do next\?</dt>.*", after)[0].split("</dd>")[0] == step[0].split("</dd>")[0]
    assert "are those of an earlier build" in after


def test_a_source_that_is_down_is_grey_with_what_is_open(world: World) -> None:
    furnish(world)
    world.run("run")
    assert world.run("dashboard").code == Exit.OK
    permalinks = {path: path.read_text("utf-8") for path in alert_pages(world)}
    (world.folder / "metrics.csv").unlink()
    ran = world.run("dashboard")
    assert ran.code == Exit.SOURCE_DOWN
    assert "note: churn: the metrics cannot be read:" in ran.err
    assert "metrics.csv" in ran.err
    alerts = alert_colours(page_of(world))
    assert alerts
    assert "red" in alerts
    assert "green" not in alerts
    for path, before in permalinks.items():
        after = path.read_text("utf-8")
        assert "the metrics could not be read. This is what was known before." in after
        assert colour(after) == colour(before)
        assert after[after.index("Evidence</h2>") :] == before[before.index("Evidence</h2>") :]
    answers = Answers(page_of(world)).texts
    assert answers["health"].startswith("Is it healthy? Unknown: nothing could be judged.")
    assert "metrics.csv" in answers["problem"]
    assert 'data-health="grey"' in (world.folder / "site/index.html").read_text("utf-8")


def test_a_source_that_is_down_hides_no_alert_of_which_the_site_knows_nothing(world: World) -> None:
    furnish(world)
    world.run("run")
    (world.folder / "metrics.csv").unlink()
    assert world.run("dashboard").code == Exit.SOURCE_DOWN
    alerts = alert_colours(page_of(world))
    assert alerts
    assert "red" in alerts
    assert "green" not in alerts


def test_one_model_is_made_and_the_others_stay(world: World) -> None:
    furnish(world)
    config = world.folder / "modelwatch.yml"
    head, _, model = config.read_text("utf-8").partition("  - name: churn\n")
    assert model
    config.write_text(f"{head}  - name: churn\n{model}\n  - name: fraud\n{model}", "utf-8")
    assert world.run("dashboard").code == Exit.OK
    before = page_of(world, "index.html")
    ran = world.run("dashboard", "--model", "fraud", "--format", "json")
    assert json.loads(ran.out) == {"index": "site/index.html", "made": [], "kept": ["fraud"], "removed": []}
    assert page_of(world, "index.html") == before
    fleet = (world.folder / "site/index.html").read_text("utf-8")
    assert 'href="models/churn/index.html"' in fleet
    assert 'href="models/fraud/index.html"' in fleet
    assert world.run("dashboard").out == "site/index.html: 0 models written, 2 unchanged\n"


def test_a_healthy_model_is_green_and_made_once(world: World) -> None:
    furnish(world, bad_from=100)
    assert world.run("dashboard").out == "site/index.html: 1 model written, 0 unchanged\n"
    answers = Answers(page_of(world)).texts
    assert answers["health"] == "Is it healthy? Yes: no alert fires."
    assert answers["doing"] == "What is being done? Nothing has to be done."
    assert answers["next"] == "What do I do next? Nothing."
    world.clock.now += 60
    assert world.run("dashboard").out == "site/index.html: 0 models written, 1 unchanged\n"


def test_the_results_of_a_run_become_the_same_pages_without_the_services(world: World) -> None:
    furnish(world)
    world.run("run")
    world.run("dashboard", "--from", "modelwatch-out", "--observe", "--out", "site")
    assert re.search(r"issue #\d+ is open", Answers(page_of(world)).texts["doing"])
    world.run("dashboard", "--from", "modelwatch-out", "--out", "site")
    answers = Answers(page_of(world)).texts
    assert "34.8 % below its baseline" in answers["problem"]
    assert "GitHub and PagerDuty were not asked" in (world.folder / "site/index.html").read_text("utf-8")
