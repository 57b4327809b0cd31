from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.alerts.grouping import judge_models
from modelwatch.model.alert import AlertState, Group, fingerprint
from modelwatch.model.register import Impact
from modelwatch.model.rule import Rule
from modelwatch.report.alert_phrase import recovery_time
from modelwatch.targets.register.recovery import missing_proof
from modelwatch.timeutil import HOUR

from ...alerts.making import at, config, findings, pull, rule, track, unexplained
from .. import making
from ..making import World, later, register

EU = (("region", "eu"),)
WHOLE, SEGMENT = fingerprint("churn", "accuracy", ()), fingerprint("churn", "accuracy", EU)
HELD = register(start=at(2), config_since=at(2), alerts=(WHOLE,))


def group(text: str, segment: str = "", of: Rule | None = None) -> Group:
    of = of or rule()
    tracks = [track(text, of)] + ([track(segment, of, EU)] if segment else [])
    now = at(len(text))
    return judge_models(config(of), {"churn": findings(*tracks)}, {"churn": pull()}, now, unexplained).groups[0]


def test_hold_clear_findings_later_than_the_start() -> None:
    assert missing_proof(group("..e."), HELD) == "it is still firing"
    assert "1 of 2 healthy evaluations in a row" in missing_proof(group("..e.."), replace(HELD, start=at(3)))
    assert missing_proof(group("..e.."), HELD) == ""
    assert "0 of 2" in missing_proof(group("..e.."), replace(HELD, start=at(4)))


@pytest.mark.parametrize(
    ("value", "missing"),
    [
        (0.79, "the whole still lies −12.2 % from the baseline of when it fired, 0.9; today's baseline lies within"),
        (0.86, ""),
        (0.95, ""),
        (None, ""),
    ],
)
def test_a_baseline_that_moved_into_the_incident_proves_nothing(value: float | None, missing: str) -> None:
    impact = Impact("", 0.79, 0.9, -0.12, alert=WHOLE)
    held = replace(HELD, impact=impact)
    recovered = group("..e..")
    recovered = replace(recovered, clear=tuple(replace(clear, newest_value=value) for clear in recovered.clear))
    assert missing_proof(recovered, held).startswith(missing)
    assert bool(missing) == bool(missing_proof(recovered, held))
    assert missing_proof(recovered, replace(held, impact=replace(impact, alert=SEGMENT))) == ""
    assert "1 of 2" in missing_proof(recovered, replace(held, config_since=at(3)))
    assert missing_proof(recovered, replace(held, start=at(1))) == "", "the rule was changed since it fired"


def test_windows_that_share_data_are_one_proof() -> None:
    """A window of 4 h that is looked at every hour: the first recovery takes as long as the data of two of them."""
    of = rule(window=4 * HOUR)
    stopped = group("..e..", of=of)
    assert stopped.state is AlertState.RESOLVED, "it stops firing as soon as before"
    assert "1 of 2 healthy windows that share no data" in missing_proof(stopped, HELD)
    assert "1 of 2" in missing_proof(group("..e....", of=of), HELD)
    assert missing_proof(group("..e.....", of=of), HELD) == ""
    assert "1 of 2" in missing_proof(group("..e....~....", of=of), HELD), "unbroken"
    assert missing_proof(group("..e..??..", of=of), HELD) == "", "what is undecided breaks nothing"
    reopened = replace(HELD, reopened=at(2))
    assert "3 of 4" in missing_proof(group("..e" + 12 * ".", of=of), reopened)
    assert missing_proof(group("..e" + 13 * ".", of=of), reopened) == ""


def test_the_recovery_is_when_it_became_healthy_however_long_the_proof_took() -> None:
    """A day after its end a group no longer says when that was."""
    waited = group("..e" + 41 * ".", of=rule(window=40 * HOUR))
    assert waited.end is None
    assert missing_proof(waited, HELD) == ""
    assert recovery_time(waited, HELD, default=0.0) == at(3)
    stopped = group("..e..")
    assert recovery_time(stopped, HELD, default=0.0) == stopped.end == at(4)


def test_findings_older_than_a_change_of_the_rule_prove_nothing() -> None:
    assert "1 of 2" in missing_proof(group("..e.."), replace(HELD, config_since=at(3)))
    assert "changed" in missing_proof(group("..e.."), replace(HELD, config="d0"))


def test_every_alert_of_the_episode_is_proved() -> None:
    both = replace(HELD, alerts=(SEGMENT, WHOLE))
    assert missing_proof(group("..e..", "....."), both) == ""
    assert missing_proof(group("..e..", "..e~~"), HELD) == "it is still firing"
    assert "missing" in missing_proof(group("..e.."), both), "its series is not there any more"
    unknown = missing_proof(group("..e.."), replace(HELD, alerts=("0" * 16,)))
    assert unknown == "an alert of this episode: its series is missing, which proves nothing"


@pytest.mark.parametrize("nothing", ["??????", "______"])
def test_missing_data_proves_nothing(nothing: str) -> None:
    assert missing_proof(group("..e." + nothing), HELD)


def test_a_pending_alert_blocks() -> None:
    of = rule(for_=3)
    tracks = [track("..eee...", of), track(".......e", of, EU)]
    pending = judge_models(config(of), {"churn": findings(*tracks)}, {"churn": pull()}, at(8), unexplained).groups[0]
    assert "region=eu: 0 of 2" in missing_proof(pending, HELD)


def test_twice_over_after_a_person_reopened_it() -> None:
    """ "... reopened it stays open until the alert has recovered twice over." """
    again = replace(HELD, reopened=at(4))
    assert "3 of 4" in missing_proof(group("..e....."), again)
    assert missing_proof(group("..e......"), again) == ""


def test_no_alert_no_proof() -> None:
    assert "nothing proves" in missing_proof(group("....."), replace(HELD, alerts=()))


def test_many_missing_are_counted() -> None:
    many = replace(HELD, alerts=tuple(f"{n:016x}" for n in range(9)))
    assert "and 6 more" in missing_proof(group("....."), many)


def test_a_silence_that_never_was_is_over() -> None:
    """History was mended: what was missing was logged late, so that the findings that decided nothing are no more."""
    silent = World(making.config())
    silent.evaluate("..???", later("..???"))
    assert [found.state for found in silent.issues.values()] == ["open"]
    silent.evaluate("....", later("....") + 3 * HOUR)
    assert [found.state for found in silent.issues.values()] == ["open"], "no finding since the silence"
    silent.evaluate(".......", later("......."))
    assert [found.state for found in silent.issues.values()] == ["closed"]
