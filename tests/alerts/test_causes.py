"""Which firing groups share a cause, and that neither order nor severity decides it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.alerts.causes import find_causes
from modelwatch.model.alert import Alert, AlertState, Evidence, Group, Mute
from modelwatch.model.cause import CauseKind
from modelwatch.model.explanation import Explanation, SegmentContribution
from modelwatch.model.finding import Finding, Outcome
from modelwatch.model.keys import KeyPattern
from modelwatch.model.monitored_model import Config, Model, WandbSpec
from modelwatch.model.severity import Severity
from modelwatch.timeutil import DAY, HOUR

from .making import T0, rule

FRAUD = Model(
    "fraud",
    (rule("missing", kind="data-quality"), rule("ranking"), rule("delay", kind="latency"), rule("slow", window=DAY)),
    wandb=WandbSpec("acme", "fraud"),
)
SUSPECTED = replace(
    FRAUD,
    rules=(
        rule("ranking"),
        rule("doubts", kind="label-quality", metric=KeyPattern("labels/suspicious_share")),
        rule("agreement", kind="label-quality", metric=KeyPattern("labels/agreement")),
    ),
)
SCORING = Model("scoring", (rule("ranking"), rule("delay", kind="latency")), wandb=WandbSpec("acme", "scoring"))
DOWNSTREAM = replace(SCORING, depends_on=("fraud",))


def group(name: str, hours: float = 0.0, *, model: str = "fraud", kind: str = "", **more: Any) -> Group:
    """A group that began to fire ``hours`` after T0."""
    kinds = {"missing": "data-quality", "delay": "latency"}
    kind, start = kind or kinds.get(name, "accuracy-drop"), T0 + hours * HOUR
    severity = more.pop("severity", Severity.ERROR)
    found = Finding(
        model=model,
        rule=name,
        kind=kind,
        labels=(),
        time=start,
        outcome=Outcome.BREACH,
        severity=severity,
        value=0.8,
        baseline=0.9,
        low=None,
        high=None,
        change=-0.11,
        n=None,
        points=1,
        version="v2",
        improved=False,
        clear=False,
    )
    alert = Alert(model, name, kind, (), AlertState.FIRING, severity, severity, start, start, None, (), found, found)
    given: dict[str, Any] = {
        "state": AlertState.FIRING,
        "severity": severity,
        "start": start,
        "end": None,
        "alerts": (alert,),
        "clear": (),
        "hold": 2,
        "newest": start,
        "config": "d1",
        "do": ("issue",),
    }
    return Group(model, name, kind, **(given | more))


def deployed(hours: float) -> Evidence:
    return Evidence(version="v2", version_since=T0 + hours * HOUR)


def kinds(*groups: Group, models: tuple[Model, ...] = (FRAUD, SCORING)) -> list[tuple[CauseKind, list[str]]]:
    names = {one.key: f"{one.model} {one.rule}" for one in groups}
    return [(cause.kind, [names[key] for key in cause.members]) for cause in find_causes(Config(models, "c1"), groups)]


SHARED = WandbSpec("acme", "shared")
STORIES = {
    "data explains what begins within a day after it": (
        [group("ranking", 20), group("missing", 2)],
        [(CauseKind.DATA, ["fraud missing", "fraud ranking"])],
    ),
    "an old data alert explains nothing new": ([group("ranking", 80), group("missing", 2)], []),
    "data does not explain latency": ([group("delay", 20), group("missing", 2)], []),
    "rules of one model that begin together": (
        [group("delay", 2.5), group("ranking", 2)],
        [(CauseKind.ONSET, ["fraud ranking", "fraud delay"])],
    ),
    "a long window can have begun with it": (
        [group("slow", 20), group("delay", 2)],
        [(CauseKind.ONSET, ["fraud delay", "fraud slow"])],
    ),
    "but not where its change point is known": (
        [
            group("slow", 20, evidence=Evidence(why=Explanation(T0, -0.1, since=T0 + 15 * HOUR))),
            group("delay", 2),
        ],
        [],
    ),
    "hours apart": ([group("delay", 9), group("ranking", 2)], []),
    "hours apart, both after one deployment": (
        [group("delay", 9, evidence=deployed(1)), group("ranking", 2, evidence=deployed(1))],
        [(CauseKind.DEPLOYMENT, ["fraud ranking", "fraud delay"])],
    ),
    "of a deployment the model's rule leads, not the data's": (
        [group("missing", 2, evidence=deployed(1)), group("delay", 9, evidence=deployed(1))],
        [(CauseKind.DEPLOYMENT, ["fraud delay", "fraud missing"])],
    ),
    "a deployment long ago": (
        [group("delay", 39, evidence=deployed(1)), group("ranking", 30, evidence=deployed(1))],
        [],
    ),
    "models without anything in common": ([group("ranking", 2), group("ranking", 2, model="scoring")], []),
    "muted, without actions, or a failed move: each stands alone": (
        [
            group("missing", 2, mutes=(Mute("silence", "known"),)),
            group("delay", 2, do=()),
            group("rollback-failed", 2, kind="rollback-failed"),
            group("ranking", 2),
        ],
        [],
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_what_shares_a_cause(name: str) -> None:
    groups, expected = STORIES[name]
    assert kinds(*groups) == expected
    assert kinds(*reversed(groups)) == expected


def test_an_upstream_model_leads_whatever_the_severities() -> None:
    groups = [group("ranking", 5, model="scoring", severity=Severity.CRITICAL), group("ranking", 2)]
    expected = [(CauseKind.UPSTREAM, ["fraud ranking", "scoring ranking"])]
    assert kinds(*groups, models=(FRAUD, DOWNSTREAM)) == expected
    last = replace(SCORING, name="pricing", depends_on=("scoring",))
    far = [groups[1], group("ranking", 5, model="pricing")]
    assert kinds(*far, models=(FRAUD, DOWNSTREAM, last))[0][1] == ["fraud ranking", "pricing ranking"], "two steps away"
    earlier = [group("ranking", 2, model="scoring"), group("ranking", 9)]
    assert kinds(*earlier, models=(FRAUD, DOWNSTREAM)) == [], "it began before its upstream model"


def test_models_that_read_the_same_runs_and_get_worse_together() -> None:
    models = (replace(FRAUD, wandb=SHARED), replace(SCORING, wandb=SHARED))
    groups = [group("ranking", 2), group("ranking", 2.5, model="scoring")]
    assert kinds(*groups, models=models) == [(CauseKind.SOURCE, ["fraud ranking", "scoring ranking"])]
    assert kinds(*groups, models=(models[0], replace(SCORING, wandb=replace(SHARED, tags=("b",))))) == []
    assert kinds(group("ranking", 2), group("delay", 2, model="scoring"), models=models) == [], "not latency"


EU = (("region", "eu"),)


def lost(hours: float = 2.0) -> Group:
    """The segment EU is gone."""
    one = group("segment-gone", hours, kind="data-quality", severity=Severity.WARNING)
    labels = tuple(sorted((*EU, ("rule", "ranking"))))
    return replace(one, alerts=tuple(replace(alert, labels=labels) for alert in one.alerts))


def explained(**share_of: float) -> Evidence:
    """A drop of 0.1 of which these shares follow from the segments by their size."""
    parts = [
        SegmentContribution((("region", region),), 0.5, 0.0, 0.9, None, -0.1 * share, 0.0)
        for region, share in share_of.items()
    ]
    return Evidence(why=Explanation(T0, -0.1, parts=tuple(parts)))


def test_a_segment_that_is_gone_leads_only_what_it_explains() -> None:
    own = group("ranking", 1, evidence=explained(eu=0.8))
    assert kinds(lost(), own) == [(CauseKind.DATA, ["fraud segment-gone", "fraud ranking"])]
    other = group("ranking", 20, evidence=explained(na=0.9, eu=0.1))
    assert kinds(lost(), other) == [], "another segment dropped"
    assert kinds(lost(), group("ranking", 20)) == [], "nothing is known about segments"
    together = [group("ranking", 2, evidence=explained(na=1.0)), lost()]
    assert kinds(*together) == [(CauseKind.ONSET, ["fraud ranking", "fraud segment-gone"])], "the real drop leads"
    first = [lost(), group("delay", 2), own]
    assert kinds(*first) == [(CauseKind.DATA, ["fraud segment-gone", "fraud ranking"])], "latency stands alone"
    broken = [lost(), group("missing", 2), group("ranking", 3)]
    assert kinds(*broken) == [(CauseKind.DATA, ["fraud missing", "fraud ranking", "fraud segment-gone"])]


def test_a_segment_that_is_gone_upstream_explains_nothing_downstream() -> None:
    assert kinds(lost(), group("ranking", 20, model="scoring"), models=(FRAUD, DOWNSTREAM)) == []


def test_relations_are_not_chained() -> None:
    """Each begins within a window of the one before it; the last has nothing to do with the first."""
    chain = [group("ranking", hours, kind="accuracy-drop") for hours in (0,)]
    chain += [replace(group("delay", 2), rule=f"r{hours}", start=T0 + hours * HOUR) for hours in (1, 2, 3)]
    (cause, *_) = find_causes(Config((FRAUD,), "c1"), chain)
    assert chain[-1].key not in cause.members


severities = st.sampled_from(list(Severity))
NAMES = ("missing", "ranking", "delay", "slow")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_order_and_severity_do_not_decide_who_belongs_together(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=4, unique=True))
    hours = {name: data.draw(st.integers(0, 40)) for name in names}
    models = (FRAUD, DOWNSTREAM)
    groups = [group(name, hours[name], severity=data.draw(severities)) for name in names]
    groups.append(group("ranking", data.draw(st.integers(0, 40)), model="scoring", severity=data.draw(severities)))
    first = find_causes(Config(models, "c1"), groups)
    assert find_causes(Config(models, "c1"), data.draw(st.permutations(groups))) == first
    wobbled = []
    for one in groups:
        severity = data.draw(severities)
        wobbled.append(replace(one, severity=severity))
    again = find_causes(Config(models, "c1"), wobbled)
    assert [(cause.kind, cause.text, set(cause.members)) for cause in again] == [
        (cause.kind, cause.text, set(cause.members)) for cause in first
    ]
    members = [key for cause in first for key in cause.members]
    assert len(members) == len(set(members)), "a group has at most one cause"


def test_labels_that_the_scores_contradict_explain_nothing() -> None:
    """A model that got worse is contradicted more often, too: to doubt the labels first would hide it."""
    doubts, ranking = group("doubts", 2, kind="label-quality", severity=Severity.CRITICAL), group("ranking", 2)
    assert kinds(doubts, ranking, models=(SUSPECTED,)) == [(CauseKind.ONSET, ["fraud ranking", "fraud doubts"])]
    agreement = group("agreement", 2, kind="label-quality")
    assert kinds(agreement, ranking, models=(SUSPECTED,)) == [(CauseKind.DATA, ["fraud agreement", "fraud ranking"])]
