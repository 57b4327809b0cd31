"""Stories of what is written: facts that hold, what changed before, the record, and what a runbook needs."""

from __future__ import annotations

import re

from .causes import MISSING, RECALL
from .stories import page_somebody, roll_back, story
from .timeline import CRITICAL, ERROR, HEALTHY, RULES, WARNING, Timeline, model_config

DAY = 24


@story()
def months_behind_a_moving_window(time: Timeline) -> None:
    """A version older than the history is never said to be new, and what is said of it does not move"""
    time.configure(model_config(more="    history: 5d\n"))
    time.skip_to(70 * DAY)
    time.data(accuracy=ERROR)
    seen, since = "first seen 2026-09-20", "since 2026-11-30 01:00 UTC"
    for hour in (3, 24):
        time.until(70 * DAY + hour, every=3)
        time.expect(says=f"{since}.*`v6`, {seen}", verdict=f"v6 {seen}", details=f"v6, {seen}", page=since)
        time.expect(says="^(?!.*It began with version)", issues=1)
    time.expect(woken=1)


@story()
def deployed_within_the_window(time: Timeline) -> None:
    """When a version came is told alike on every day, though the window of the history moves past it"""
    time.configure(model_config(more="    history: 5d\n"))
    time.skip_to(60 * DAY)
    time.deploy("v7")
    time.skip_to(62 * DAY)
    time.data(accuracy=ERROR)
    time.until(62 * DAY + 3)
    time.expect(woken=1, says="`v7`, first seen 20", verdict="v7 first seen 20")
    seen = re.search(r"`v7`, (first seen \S+ \S+)", time.text())
    time.until(67 * DAY, every=12)
    time.expect(woken=2, says=re.escape(seen[0]) if seen else "v7")  # after one day and after three
    time.expect(verdict=re.escape(f"v7 {seen[1]}" if seen else "v7"))


@story()
def agreement_on_the_way_down(time: Timeline) -> None:
    """On the way from critical to healthy severity, title, label and value agree at every hour"""
    page_somebody(time, accuracy=CRITICAL)
    for accuracy, hour in ((ERROR, 6), (WARNING, 10), (HEALTHY, 15)):
        time.data(accuracy=accuracy)
        while time.hour < hour:
            time.until(time.hour + 1)
            _expect_agreement(time)
    time.expect(woken=0, issues=0)


def _expect_agreement(time: Timeline) -> None:
    """The tier in the title and the label is the one that the sentence and ``diagnose`` name; the value fits."""
    issue = time.issue()
    if issue.state == "closed":
        return
    severity = re.match(r"\[(\w+)\]", issue.title)
    drop = re.search(r"(\d+\.\d) % below its baseline", issue.body or "")
    name, lost = severity[1] if severity else "?", float(drop[1]) if drop else 0.0
    limits = {"warning": 2.0, "error": 5.0, "critical": 10.0}
    time.expect(labels=f"severity:{name}", says=rf"\*\*{name}\*\*", verdict=f"^{name}")
    if lost < limits.get(name, 100.0):  # it holds on to its tier until recovery is proven: then it says so
        time.expect(says="the newest window reaches|Wait: ")


@story(causes=2)
def what_changed_before(time: Timeline) -> None:
    """Issue and `diagnose` list commits, configuration, deployment and other findings before it began"""
    time.configure(model_config(rules=RULES + RECALL))
    time.data(recall=HEALTHY)
    time.until(2)
    time.data(recall=WARNING)
    time.commit("features.py", "Read tenure from the new table")
    time.until(4)
    time.commit("modelwatch.yml", "Judge every hour")
    time.deploy("v7")
    time.data(accuracy=ERROR)
    time.until(7)
    time.expect(woken=1, says=r"Read tenure from the new table.*by .robin. \(\[open\]\(http")
    time.expect(says="What changed before.*config.*Judge every hour|What changed before.*Judge every hour.*config")
    time.expect(says="What changed before.*v7 first seen", verdict="Before.*commit at .*Read tenure")


@story()
def last_good_version_at_few_rows(time: Timeline) -> None:
    """At 50 predictions an hour, after an hour of missing upstream data, the last version is the one to go back to"""
    rules = MISSING + RULES.replace(
        "critical: {drop: 10%, do: [issue, page]}", "critical: {drop: 10%, do: [issue, page, rollback]}"
    )
    flows = "    workflows: {rollback: {file: rollback.yml, mode: propose, remind: 0}}\n"
    time.configure(model_config(rules=rules, more=flows))
    time.rows = 50
    time.data(filled=HEALTHY)
    time.skip_to(5 * DAY)
    time.data(filled=0.3, accuracy=0.5)
    time.skip_to(5 * DAY + 1)
    time.data(filled=HEALTHY, accuracy=HEALTHY)
    time.skip_to(15 * DAY)
    time.deploy("v7")
    time.data(accuracy=0.5)
    time.until(15 * DAY + 8)
    time.expect(woken=1, issues=1, says=r"\| 1 \| `v6` \| `healthy", step="rollback.* to `v6`", verdict="1 v6 healthy")


@story()
def played_night_on_record(time: Timeline) -> None:
    """Everything of a night is on record once: who, when and why; `review` tells what helped"""
    roll_back(time)
    time.deploy("v6")
    time.data(accuracy=HEALTHY)
    time.until(10)
    acts = ("started firing", "rollback proposed", "incident triggered", "command approve", "rollback dispatched")
    ends = ("rollback finished: success", ": recovered", "closed the issue", "incident resolved")
    time.expect(woken=0, issues=0, audit=".*".join((*acts[:3], "robin.*command approve", *ends)))
    for what in (*acts, *ends):
        time.expect(audit=rf"^(?!.*{what}.*{what}).*{what}")
    time.expect(audit="acknowledged at PagerDuty", review="robin.*What was tried.*rollback.*What helped.*rollback")


@story()
def what_a_person_needs(time: Timeline) -> None:
    """Issue and page carry the team's links and the data to retrain on; the owner is assigned"""
    links = '    links: {dashboard: "https://grafana.acme.example/churn", scale up: kubectl scale deployment/churn}\n'
    page_somebody(time, model_config(more=links, owner="@robin"))
    time.expect(labels="severity:error", assignees=("robin",), says="Owner: @robin|Data to retrain on")
    time.expect(says=r"grafana\.acme\.example/churn.*kubectl scale", details="kubectl scale.*|retrain_on")
    time.expect(says="Data to retrain on.*rows", details="retrain_on.*rows")


@story()
def slow_is_not_retrained(time: Timeline) -> None:
    """A latency alert offers no data to retrain on"""
    rules = """\
      - name: slow
        kind: latency
        metric: serving/p95
        window: 1h
        every: 1h
        for: 2
        hold: 2
        tiers:
          error: {above: 250, do: [issue, page]}
"""
    time.configure(model_config(rules=rules.replace("serving/p95", "eval/latency")))
    time.data(latency=120.0)
    time.until(2)
    time.data(latency=400.0)
    time.until(6)
    time.expect(woken=1, page="^error churn slow", says="^(?!.*retrain)", details="^(?!.*retrain)", issues=1)


@story()
def chart_is_readable(time: Timeline) -> None:
    """The chart has tier lines, the deployment, a legend and the unit"""
    time.configure(model_config())
    time.until(2)
    time.deploy("v7")
    time.data(accuracy=ERROR)
    time.until(6)
    time.expect(woken=1, says="xychart-beta.*value 0.8.*baseline 0.92.*warning 0.90.*error 0.874.*deployed: `v7`")


@story()
def window_of_a_young_version(time: Timeline) -> None:
    """A window of a day that holds three hours of a version is not called a day, and is one when it is full"""
    rules = RULES.replace("window: 1h", "window: 24h").replace(
        "baseline: {value: 0.92, n: 100000}", "baseline: {value: 0.92}"
    )
    time.configure(model_config(rules=rules), healthy=30)
    time.deploy("v7")
    time.data(accuracy=ERROR)
    time.until(3)
    time.expect(woken=1, says=r"over 3 h .its window of 24 h is not full", verdict="over 3 h .its window of 24 h")
    time.acknowledge()
    time.until(20, every=4)
    time.expect(verdict="over 20 h .its window of 24 h is not full")
    time.until(25)
    time.expect(woken=0, verdict="over 24 h,")
