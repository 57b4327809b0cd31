"""Stories of one cause that several alerts show: one issue and one page, wherever it shows."""

from __future__ import annotations

import re

from .stories import story
from .timeline import CRITICAL, ERROR, HEALTHY, RULES, WARNING, Timeline, model_config

RECALL = RULES.replace("eval/accuracy", "eval/recall").replace("name: accuracy", "name: recall")
MISSING = (
    RULES.replace("eval/accuracy", "eval/filled")
    .replace("name: accuracy", "name: filled")
    .replace("kind: accuracy-drop", "kind: data-quality")
)
SEGMENTED = RULES.replace("        window: 1h\n", '        window: 1h\n        segments: "eval/region=*/accuracy"\n')
REGIONS = ("eu", "na", "sa", "asia")


def regions(accuracy: float, **own: float) -> dict[str, float]:
    """The accuracy of the whole and of its four regions; ``own``: regions that differ."""
    each = {f"accuracy_{name}": own.get(name, accuracy) for name in REGIONS}
    return {"accuracy": sum(each.values()) / len(each), **each}


def break_the_data(time: Timeline, config: str) -> None:
    """The data break, and with them the accuracy: one page, about the data, by hour 5."""
    time.configure(config)
    time.data(filled=HEALTHY)
    time.until(2)
    time.data(filled=ERROR, accuracy=ERROR)
    time.until(5)
    time.expect(woken=1, page="^error churn filled", issues=1)


@story()
def one_bad_release_two_rules(time: Timeline) -> None:
    """A bad release shows in two rules: one page, one issue, closed when both have recovered."""
    time.configure(model_config(rules=RULES + RECALL))
    time.data(recall=HEALTHY)
    time.until(2)
    time.deploy("v7")
    time.data(accuracy=ERROR, recall=WARNING)
    time.until(6)
    time.expect(woken=1, issues=1, title=r"^\[error\] churn: accuracy", says="Also affected.*`churn` `recall`.*warning")
    time.data(recall=CRITICAL)
    time.until(9)
    time.expect(woken=1, page="^critical .*recall", issues=1, title=r"^\[critical\] churn: .*recall")
    time.expect(says="`churn` `recall`.*critical")
    time.data(accuracy=HEALTHY)
    time.until(12)
    time.expect(issues=1, says="`recall`.*critical")
    time.data(recall=HEALTHY)
    time.until(17)
    time.expect(issues=0, title="recovered")


@story()
def one_upstream_break_two_models(time: Timeline) -> None:
    """One upstream break shows in two rules of two models each: one page, one issue."""
    time.configure(
        model_config("churn", RULES + RECALL), model_config("offers", RULES + RECALL, more="    depends_on: churn\n")
    )
    for model in ("churn", "offers"):
        time.data(model, recall=HEALTHY)
    time.until(2)
    for model in ("churn", "offers"):
        time.data(model, accuracy=ERROR, recall=ERROR)
    time.until(6)
    time.expect(woken=1, page="^error churn", issues=1, says="3 other alerts share its cause.*`offers` `accuracy`")
    time.expect(issues=0, model="offers", verdict=r"Next: Work on the issue that leads: \S+churn/issues/1")
    for model in ("churn", "offers"):
        time.data(model, accuracy=HEALTHY, recall=HEALTHY)
    time.until(11)
    time.expect(woken=0, issues=0, title="recovered")


@story(causes=2)
def a_second_cause_hours_later(time: Timeline) -> None:
    """Another rule breaks nine hours later, with nothing in common: it has a page and an issue of its own."""
    time.configure(model_config(rules=RULES + RECALL))
    time.data(recall=HEALTHY, accuracy=ERROR)
    time.until(4)
    time.expect(woken=1, issues=1)
    time.until(9)
    time.data(recall=ERROR)
    time.until(13)
    time.expect(woken=1, page="^error churn recall", issues=2)


@story()
def everything_drops(time: Timeline) -> None:
    """Everything drops alike: page, issue and title say so, and the title does not wander."""
    time.configure(model_config(rules=SEGMENTED))
    time.data("churn", **regions(HEALTHY))
    time.until(2)
    time.data("churn", **regions(ERROR))
    titles = set()
    for hour in range(4, 12):
        time.until(hour)
        titles.add(time.issue().title)
    time.expect(woken=1, page=r"accuracy \(every region\) 0\.8", says="`accuracy` in every `region` is")
    time.expect(title=r"^\[error\] churn: accuracy \(every region\) below its baseline \(limit 5 %\)$")
    if len(titles) != 1:
        time.expect(title=re.escape(f"one title, not {sorted(titles)}"))


@story()
def one_segment_drops(time: Timeline) -> None:
    """One region drops: page and issue name it, with the value of the whole beside it."""
    time.configure(model_config(rules=SEGMENTED))
    time.data("churn", **regions(HEALTHY))
    time.until(2)
    time.data("churn", **regions(HEALTHY, eu=CRITICAL))
    time.until(6)
    time.expect(woken=1, page=r"accuracy \(region=eu alone\) 0\.7.*; overall 0\.8", issues=1)
    time.expect(
        title=r"\(region=eu alone\) below its baseline \(limit 10 %", says="in `region=eu` alone is.*Overall: 0\\.8"
    )


@story(causes=2)
def who_leads_is_silenced(time: Timeline) -> None:
    """The data alert that leads is a false positive: the drop that it led has a page and an issue of its own."""
    break_the_data(time, model_config(rules=MISSING + RULES))
    time.expect(says="Also affected.*`accuracy`")
    time.comment("false-positive")
    time.until(7)
    time.expect(woken=1, page="^error churn accuracy", issues=2)


@story()
def bad_data_leads(time: Timeline) -> None:
    """Bad data show in a check of quality and in two metrics: one issue, one page, and the data are fixed first."""
    time.configure(model_config(rules=MISSING + RULES + RECALL))
    time.data(filled=HEALTHY, recall=HEALTHY)
    time.until(2)
    time.data(filled=ERROR, accuracy=CRITICAL, recall=ERROR)
    time.until(6)
    time.expect(woken=1, page="churn filled", issues=1, says="Also affected.*`accuracy`.*`recall`|`recall`.*`accuracy`")
    time.expect(step="Fix the data, not the model", details="Fix the data, not the model", verdict="Fix the data")
    time.data(filled=HEALTHY, accuracy=HEALTHY, recall=HEALTHY)
    time.until(11)
    time.expect(woken=0, issues=0, open_incidents=0)


@story()
def outlives_its_leader(time: Timeline) -> None:
    """The data are mended and one metric stays bad: four hours later it has an issue and a page of its own."""
    break_the_data(time, model_config(rules=MISSING + RULES))
    time.data(filled=HEALTHY)
    time.until(8)
    time.expect(woken=0, issues=1)
    time.until(14)
    time.expect(woken=1, page="^error churn accuracy", issues=1, title=r"^\[error\] churn: accuracy")
    time.data(accuracy=HEALTHY)
    time.until(18)
    time.expect(woken=0, issues=0, open_incidents=0)


@story()
def one_source_two_models(time: Timeline) -> None:
    """Two models read the same W&B runs and break together: one page, one issue."""
    time.configure(model_config("churn"), model_config("offers", RECALL, project="churn"))
    time.data("churn", recall=HEALTHY)
    time.until(2)
    time.data("churn", accuracy=ERROR, recall=ERROR)
    time.until(6)
    time.expect(woken=1, issues=1, model="churn", says="read the same data.*`offers` `recall`")
    time.expect(issues=0, model="offers", verdict=r"Next: Work on the issue that leads: \S+churn/issues/1")


@story()
def shards_of_a_fleet(time: Timeline) -> None:
    """Four models over two shards, three with one cause: one page, one issue, and `gather` lists the cause."""
    time.configure(
        model_config("churn"),
        model_config("fraud"),
        model_config("offers", more="    depends_on: churn\n"),
        model_config("mails", RECALL, project="churn"),
    )
    time.data("churn", recall=HEALTHY)
    time.until(2, shards=2)
    time.data("churn", accuracy=ERROR, recall=ERROR)
    time.data("offers", accuracy=ERROR)
    time.until(6, shards=2)
    time.expect(woken=1, page="^error churn", issues=1, model="churn", summary="share.*cause|cause.*share")
    time.expect(says="`offers` `accuracy`.*`mails` `recall`|`mails` `recall`.*`offers` `accuracy`", model="churn")
