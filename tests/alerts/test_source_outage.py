"""A source that cannot be read is one group, whoever reads it; since when is what its issue remembers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from modelwatch.alerts.source_outage import add_source_outages, find_outages
from modelwatch.model.alert import SOURCE_OUTAGE, AlertState, Group, Judgement, SourceFailure, group_key
from modelwatch.model.finding import Cause
from modelwatch.model.monitored_model import (
    Config,
    GitHubSpec,
    Matcher,
    Model,
    OutageSpec,
    PagerDutySpec,
    Silence,
    TableSpec,
    WandbSpec,
)
from modelwatch.model.plan import ModelObservation, ObservedIssue
from modelwatch.model.register import FlapRecord, Register
from modelwatch.model.series import FailureScope
from modelwatch.model.severity import Severity
from modelwatch.timeutil import HOUR

NOW = 1_790_000_000.0
EVALUATOR, CONFIGURATION, NAMES, DATA, SERVER = FailureScope


def model(name: str, project: str = "", *, host: str = "", **more: Any) -> Model:
    specs: dict[str, Any] = {
        "wandb": WandbSpec("acme", project or name, base_url=host),
        "github": GitHubSpec(f"acme/{name}"),
        "pagerduty": PagerDutySpec(key_name="KEY"),
    }
    return Model(name, (), **(specs | more))


def outages(models: list[Model], **failed: FailureScope) -> list[tuple[str, str, str]]:
    """(source, host, models that fail) of each outage."""
    failures = [SourceFailure(name, "HTTP 503", scope) for name, scope in failed.items()]
    found = find_outages(failures, Config(tuple(models), "c"))
    return [(one.source, one.host.name, " ".join(failure.model for failure in one.failures)) for one in found]


A, B, C = model("a"), model("b"), model("c")
OURS = model("ours", host="https://wandb.acme.example")
SILENT = model("silent", github=GitHubSpec())
TABLES = [model(name, wandb=None, table=TableSpec("metrics.csv")) for name in ("x", "y")]


@pytest.mark.parametrize(
    ("models", "failed", "expected"),
    [
        ([A, B, C], {"b": SERVER, "c": SERVER}, [("W&B", "a", "b c")]),
        ([A, B, C, OURS], {"ours": SERVER}, [("W&B at https://wandb.acme.example", "ours", "ours")]),
        ([A, B, C], {"b": SERVER}, [("acme/b", "b", "b")]),
        ([SILENT, A, B], {"a": SERVER, "b": SERVER}, [("W&B", "a", "a b")]),
        ([A, B], {"a": DATA, "b": DATA}, [("acme/a", "a", "a"), ("acme/b", "b", "b")]),
        ([A, model("b", "a"), C], {"a": DATA, "b": DATA}, [("acme/a", "a", "a b")]),
        (TABLES, {"x": DATA, "y": DATA}, [("metrics.csv", "x", "x y")]),
        ([A, model("b", "a"), C], {"a": SERVER, "b": DATA}, [("acme/a", "a", "a b")]),
        ([A, B], {"a": CONFIGURATION}, [("acme/a", "a", "a")]),
        ([A, B], {"a": EVALUATOR, "b": EVALUATOR}, []),
    ],
    ids=[
        *("the server, for two of three", "all that read another server", "one of three is its own trouble"),
        *("who opens issues tells of it", "two projects", "one project", "one table", "one trouble seen twice"),
        "a project that is not there",
        "the evaluator has no key",
    ],
)
def test_one_outage_a_source(
    models: list[Model], failed: dict[str, FailureScope], expected: list[tuple[str, str, str]]
) -> None:
    assert outages(models, **failed) == expected


def register(**more: Any) -> Register:
    severity, key = Severity.WARNING, group_key("a", SOURCE_OUTAGE)
    start = more.pop("start", NOW - 3 * HOUR)
    return Register(key, "a", SOURCE_OUTAGE, 1, start, severity, severity, "", start, ("0123456789abcdef",), **more)


def observed(known: Register | None, *, trusted: bool = True) -> Mapping[str, ModelObservation]:
    if known is None:
        return {"a": ModelObservation("a")}
    issue = ObservedIssue(1, "", known.group, "open", "", None, 0.0, "bot", "", known, trusted=trusted)
    return {"a": ModelObservation("a", issues=(issue,))}


def group(
    known: Register | None = None, spec: OutageSpec | None = None, *, failed: bool = True, **more: Any
) -> Group | None:
    """The group of model ``a``, where W&B is down for it or not."""
    own = replace(A, outage=spec or OutageSpec(), **more)
    failures = (SourceFailure("a", "HTTP 503", SERVER),) if failed else ()
    judgement = add_source_outages(Judgement(NOW, "c", (), failures), Config((own,), "c"), observed(known), NOW)
    return judgement.groups[0] if judgement.groups else None


@pytest.mark.parametrize(
    ("known", "spec", "expected"),
    [
        (None, None, (0, "warning", "issue")),
        (register(start=NOW - 1.9 * HOUR), None, (1.9, "warning", "issue")),
        (register(start=NOW - 2 * HOUR), None, (2, "error", "issue page")),
        (register(), OutageSpec(after=6 * HOUR), (3, "warning", "issue")),
        (None, OutageSpec(after=0), (0, "error", "issue page")),
        (register(), OutageSpec(Severity.INFO, ("issue",)), (3, "info", "issue")),
        (register(), OutageSpec(do=()), (3, "error", "")),
        (register(closed=NOW - HOUR), None, (0, "warning", "issue")),
        (register(refired=NOW - HOUR), None, (1, "warning", "issue")),
        (register(flap=FlapRecord(2, NOW - 9 * HOUR, NOW - HOUR)), None, (1, "warning", "issue")),
        (register(flap=FlapRecord(2, NOW - 9 * HOUR, NOW - HOUR, NOW + HOUR)), None, (0, "warning", "issue")),
    ],
    ids=[
        *("first failure", "not long enough", "long enough", "a longer time", "at once", "no page", "only reported"),
        *("the last one is over", "fired again", "flaps", "was read in between"),
    ],
)
def test_the_issue_remembers_since_when(
    known: Register | None, spec: OutageSpec | None, expected: tuple[float, str, str]
) -> None:
    found = group(known, spec)
    assert found is not None
    assert found.start is not None
    assert ((NOW - found.start) / HOUR, str(found.severity), " ".join(found.do)) == pytest.approx(expected)
    assert (found.kind, found.state, found.evidence.notes) == ("monitoring-silent", AlertState.FIRING, ("a: HTTP 503",))


@pytest.mark.parametrize("after", [0.0, 2 * HOUR])
def test_a_project_that_is_not_there_pages_nobody(after: float) -> None:
    """It is a matter of the configuration, however long it lasts."""
    failures = (SourceFailure("a", "no such project", CONFIGURATION),)
    config = Config((replace(A, outage=OutageSpec(after=after)),), "c")
    (found,) = add_source_outages(Judgement(NOW, "c", (), failures), config, observed(register()), NOW).groups
    assert (str(found.severity), found.do) == ("warning", ("issue",))
    (alert,) = found.alerts
    assert [step.severity for step in alert.steps] == [Severity.WARNING]
    assert alert.finding.cause is Cause.UNKNOWN_SOURCE


def test_an_issue_of_a_stranger_says_nothing() -> None:
    failures = (SourceFailure("a", "HTTP 503", SERVER),)
    seen = observed(register(), trusted=False)
    (found,) = add_source_outages(Judgement(NOW, "c", (), failures), Config((A,), "c"), seen, NOW).groups
    assert found.start == NOW


def test_a_silence_of_the_configuration_mutes_it() -> None:
    silence = Silence(Matcher(kind="monitoring-silent"), NOW + HOUR, "@robin", "maintenance")
    found = group(register(), silences=(silence,))
    assert found is not None
    assert [mute.by for mute in found.mutes] == ["silence"]


def test_what_answers_again_proves_that_it_is_over() -> None:
    over = group(register(), failed=False)
    assert over is not None
    assert (over.state, over.clear[0].fingerprint) == (AlertState.QUIET, "0123456789abcdef")
    assert all(time > register().start for time in over.clear[0].times)
    assert group(failed=False) is None, "a healthy evaluation without an issue has nothing to say"
    own_key_missing = Judgement(NOW, "c", (), (SourceFailure("a", "no key", EVALUATOR),))
    assert add_source_outages(own_key_missing, Config((A,), "c"), observed(register()), NOW).groups == ()
