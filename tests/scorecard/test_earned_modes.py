"""Whether an automation's own record has earned the next mode, on simulated ledgers of which the truth is known."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from modelwatch.model.alert import group_key
from modelwatch.model.earned_mode import AttemptOutcome, EarnedMode, EarnedModeRule
from modelwatch.model.keys import KeyPattern
from modelwatch.model.ledger import MODELWATCH, RECOVERED, EntryKind, LedgerEntry
from modelwatch.model.monitored_model import Config, Model, WorkflowSpec
from modelwatch.model.register import FALSE_POSITIVE, DispatchRecord, DispatchState, Register
from modelwatch.model.rule import Limit, LimitKind, Mode, Rule, Tier
from modelwatch.model.scorecard import EpisodeRecord
from modelwatch.model.severity import Severity
from modelwatch.scorecard.earned_modes import judge_modes
from modelwatch.stats.intervals import binomial_bounds
from modelwatch.targets.register.ledger import register_entries
from modelwatch.timeutil import DAY, HOUR

NOW = 1_795_132_800.0
ADA = "ada"
HELPED, WITHOUT, FAILED, HARMFUL = (
    AttemptOutcome.HELPED,
    AttemptOutcome.WITHOUT_EFFECT,
    AttemptOutcome.FAILED,
    AttemptOutcome.HARMFUL,
)
REJECTED, UNANSWERED, OPEN = AttemptOutcome.REJECTED, AttemptOutcome.UNANSWERED, AttemptOutcome.OPEN
AGREED, DISAGREED = AttemptOutcome.AGREED, AttemptOutcome.DISAGREED


def config(mode: Mode) -> Config:
    tiers = (
        Tier(Severity.WARNING, (Limit(LimitKind.BELOW, 0.9),), ("issue", "retrain")),
        Tier(Severity.CRITICAL, (Limit(LimitKind.BELOW, 0.5),), ("issue", "page", "rollback")),
    )
    rules = (Rule("accuracy", "accuracy-drop", KeyPattern("eval/accuracy"), tiers),)
    flows = (WorkflowSpec("retrain", "retrain.yml", mode=mode), WorkflowSpec("rollback", "rollback.yml", mode=mode))
    return Config((Model("churn", rules, workflows=flows),), "c1")


@dataclass
class Story:
    """One alert that began at ``start``, and what became of the automation in it."""

    outcome: AttemptOutcome
    start: float
    verb: str = "retrain"
    by: str = ""

    def record(self, number: int) -> EpisodeRecord:
        """The issue, with the entries that the ledger writes itself for such a register."""
        group = group_key("churn", "accuracy")
        sent, ended = self.start + HOUR, self.start + 2 * HOUR
        recovered: float | None = ended + 4 * HOUR
        state, conclusion = DispatchState.FINISHED, "success"
        more: list[LedgerEntry] = []
        match self.outcome:
            case AttemptOutcome.WITHOUT_EFFECT:
                recovered = ended + 3 * DAY
            case AttemptOutcome.FAILED:
                conclusion = "failure"
            case AttemptOutcome.HARMFUL:
                more = [LedgerEntry("w", ended + HOUR, EntryKind.FINDING, MODELWATCH, "worse: now critical")]
            case AttemptOutcome.REJECTED:
                state = DispatchState.REJECTED
            case AttemptOutcome.UNANSWERED:
                state = DispatchState.PROPOSED
            case AttemptOutcome.OPEN:
                recovered = None
            case AttemptOutcome.AGREED:
                more = [LedgerEntry("m", sent, EntryKind.MOVE, ADA, f"move {self.verb}: done")]
        key, is_over = f"{group}.{number}.{self.verb}.1", state is DispatchState.FINISHED
        dispatch = DispatchRecord(key, self.verb, state, sent, by=self.by)
        if is_over:
            dispatch = replace(dispatch, conclusion=conclusion, ended=ended)
        is_observed = self.outcome in (AGREED, DISAGREED)
        peak = Severity.CRITICAL if self.verb == "rollback" else Severity.WARNING
        register = Register(
            group,
            "churn",
            "accuracy",
            number,
            self.start,
            peak,
            peak,
            "d1",
            self.start,
            closed=recovered,
            dispatches=() if is_observed else (dispatch,),
        )
        entries = [*register_entries(register), *more]
        if recovered is not None:
            entries.append(LedgerEntry("r", recovered, EntryKind.RECOVERY, MODELWATCH, RECOVERED))
        entries.sort(key=lambda entry: entry.at)
        is_closed = recovered is not None
        return EpisodeRecord(
            "acme/churn",
            number,
            f"https://x.example/{number}",
            "closed" if is_closed else "open",
            "completed" if is_closed else "",
            frozenset(),
            register,
            tuple(entries),
        )


def judge(mode: Mode, outcomes: Sequence[AttemptOutcome], verb: str = "retrain", by: str = "") -> EarnedMode:
    """The verdict on ``verb`` after one alert with each of ``outcomes``, oldest first, five days apart."""
    first = NOW - 5 * DAY * len(outcomes) - 10 * DAY
    stories = [Story(outcome, first + 5 * DAY * place, verb, by) for place, outcome in enumerate(outcomes)]
    records = [story.record(place + 1) for place, story in enumerate(stories)]
    verdicts = {verdict.verb: verdict for verdict in judge_modes(config(mode), records, NOW)}
    return verdicts[verb]


def test_each_outcome_is_read_from_the_ledger_as_it_was() -> None:
    told = [HELPED, WITHOUT, FAILED, HARMFUL, REJECTED, UNANSWERED, OPEN]
    for mode in (Mode.PROPOSE, Mode.ACT):
        verdict = judge(mode, told, by=ADA)
        assert [attempt.outcome for attempt in verdict.attempts] == told
        assert dict(verdict.outcomes) == dict.fromkeys(told, 1)
        assert (verdict.counted, verdict.good, verdict.harmful) == (5, 1, 1)
        assert {attempt.by for attempt in verdict.attempts} == {ADA}


def test_a_simulated_record_gives_the_known_counts_exactly() -> None:
    draw = random.Random(3)
    truth = draw.choices([HELPED, WITHOUT, FAILED, HARMFUL, REJECTED, UNANSWERED, OPEN], [9, 3, 2, 1, 2, 1, 1], k=60)
    verdict = judge(Mode.PROPOSE, truth)
    assert dict(verdict.outcomes) == Counter(truth)
    known = [outcome for outcome in truth if outcome not in (UNANSWERED, OPEN)]
    assert (verdict.counted, verdict.good) == (len(known), truth.count(HELPED))
    assert verdict.harmful == known[-10:].count(HARMFUL)
    assert (verdict.low, verdict.high) == binomial_bounds(truth.count(HELPED), len(known))


class TestProposeToAct:
    def test_ten_that_helped_earn_it(self) -> None:
        verdict = judge(Mode.PROPOSE, [HELPED] * 10)
        assert verdict.earned
        assert (verdict.next_mode, verdict.missing, verdict.reasons) == (Mode.ACT, 0, ())

    def test_nine_do_not_yet(self) -> None:
        verdict = judge(Mode.PROPOSE, [HELPED] * 9)
        assert not verdict.earned
        assert verdict.missing == 1
        assert verdict.reasons == ("it has 9 known outcomes, of 10 that are needed",)

    def test_the_lower_bound_counts_and_not_the_share(self) -> None:
        verdict = judge(Mode.PROPOSE, [WITHOUT, REJECTED, *[HELPED] * 8])
        assert not verdict.earned
        assert verdict.reasons == ("8 of 10 helped (surely at least 49 %, and 60 % are needed)",)
        assert verdict.missing == 4, "12 of 14 are at least 61 %"
        assert judge(Mode.PROPOSE, [WITHOUT, REJECTED, *[HELPED] * 12]).earned

    def test_a_recent_harmful_attempt_waits_for_ten_others(self) -> None:
        verdict = judge(Mode.PROPOSE, [*[HELPED] * 20, HARMFUL, *[HELPED] * 4])
        assert not verdict.earned
        assert verdict.reasons == ("1 of the newest 10 attempts was harmful",)
        assert verdict.missing == 6
        assert judge(Mode.PROPOSE, [*[HELPED] * 20, HARMFUL, *[HELPED] * 10]).earned

    def test_nothing_is_earned_without_a_record(self) -> None:
        verdict = judge(Mode.PROPOSE, [])
        assert (verdict.counted, verdict.low, verdict.high, verdict.earned) == (0, 0.0, 1.0, False)
        assert verdict.missing == 10


class TestObserveToPropose:
    def test_five_times_in_which_people_did_the_same(self) -> None:
        assert judge(Mode.OBSERVE, [AGREED] * 5).earned
        verdict = judge(Mode.OBSERVE, [AGREED] * 4)
        assert (verdict.earned, verdict.next_mode, verdict.missing) == (False, Mode.PROPOSE, 1)

    def test_people_who_do_something_else_speak_against_it(self) -> None:
        verdict = judge(Mode.OBSERVE, [AGREED] * 5 + [DISAGREED] * 4)
        assert not verdict.earned
        assert verdict.reasons[0].startswith("people did the same in 5 of 9 (surely at least 25 %")

    def test_only_alerts_whose_tier_starts_it_count(self) -> None:
        """Retraining is of the warning tier; these alerts were critical at once."""
        assert judge(Mode.OBSERVE, [AGREED] * 5, "rollback").earned
        stories = [Story(AGREED, NOW - 50 * DAY + place * DAY, "rollback").record(place) for place in range(5)]
        verdicts = {one.verb: one for one in judge_modes(config(Mode.OBSERVE), stories, NOW)}
        assert verdicts["retrain"].counted == 0

    @pytest.mark.parametrize(("who", "what"), [("the workflow", "move retrain: done"), (ADA, "move rollback: done")])
    def test_what_no_person_did_or_something_else_is_no_agreement(self, who: str, what: str) -> None:
        record = Story(DISAGREED, NOW - 20 * DAY).record(1)
        entry = LedgerEntry("m", NOW - 20 * DAY + HOUR, EntryKind.MOVE, who, what)
        (verdict, _) = judge_modes(config(Mode.OBSERVE), [replace(record, entries=(*record.entries, entry))], NOW)
        assert (verdict.good, verdict.counted) == (0, 1)

    def test_a_command_that_the_mode_refuses_is_agreement(self) -> None:
        record = Story(DISAGREED, NOW - 20 * DAY).record(1)
        asked = LedgerEntry("c", NOW - 19 * DAY, EntryKind.COMMAND, ADA, "command retrain, refused", "mode observe")
        wanted = replace(record, entries=(*record.entries[:1], asked, *record.entries[1:]))
        (verdict, _) = judge_modes(config(Mode.OBSERVE), [wanted], NOW)
        assert (verdict.good, verdict.counted, verdict.refused) == (1, 1, 1)


class TestStepBack:
    def test_two_harmful_attempts_among_the_newest_ten(self) -> None:
        record = [*[HELPED] * 30, HARMFUL, HELPED, HARMFUL, HELPED]
        verdict = judge(Mode.ACT, record)
        assert verdict.step_back is Mode.PROPOSE
        assert verdict.step_back_reason == "2 of the newest 10 attempts were harmful"
        assert not verdict.earned
        assert judge(Mode.ACT, [*record, *[HELPED] * 8]).step_back is None

    def test_a_record_that_has_become_bad_is_not_hidden_by_a_long_good_one(self) -> None:
        verdict = judge(Mode.ACT, [*[HELPED] * 30, *[WITHOUT] * 14, *[HELPED] * 6])
        assert verdict.step_back is Mode.PROPOSE
        assert verdict.step_back_reason == (
            "6 of the newest 20 attempts helped (surely at most 51 %, and 60 % are needed)"
        )

    def test_few_attempts_prove_nothing(self) -> None:
        assert judge(Mode.ACT, [FAILED] * 3).step_back is None
        assert judge(Mode.ACT, [FAILED] * 4).step_back is Mode.PROPOSE

    def test_from_propose_to_observe_where_people_reject(self) -> None:
        assert judge(Mode.PROPOSE, [REJECTED] * 5).step_back is None
        verdict = judge(Mode.PROPOSE, [REJECTED] * 6)
        assert verdict.step_back is Mode.OBSERVE
        assert not verdict.earned

    def test_no_mode_is_proposed_together_with_a_step_back(self) -> None:
        """Over the year its share is good enough, lately it is not."""
        verdict = judge(Mode.PROPOSE, [*[HELPED] * 50, *[WITHOUT] * 17, *[HELPED] * 3])
        assert verdict.reasons == ()
        assert (verdict.earned, verdict.step_back) == (False, Mode.OBSERVE)

    def test_nothing_comes_before_observe(self) -> None:
        assert judge(Mode.OBSERVE, [DISAGREED] * 50).step_back is None


def test_a_false_alarm_is_not_helped() -> None:
    record = Story(HELPED, NOW - 20 * DAY).record(1)
    false = replace(record, labels=frozenset({FALSE_POSITIVE}))
    (verdict, _) = judge_modes(config(Mode.ACT), [false], NOW)
    assert [attempt.outcome for attempt in verdict.attempts] == [WITHOUT]


def test_old_attempts_do_not_count() -> None:
    records = [Story(HELPED, NOW - (366 - place) * DAY).record(place) for place in range(3)]
    (verdict, _) = judge_modes(config(Mode.PROPOSE), records, NOW)
    assert verdict.counted == 2
    (verdict, _) = judge_modes(config(Mode.PROPOSE), records, NOW, needed=EarnedModeRule(attempts=1, helped=0.1))
    assert verdict.earned


def test_an_automation_that_helps_in_half_of_the_cases_is_hardly_ever_proposed() -> None:
    """Looked at after each of 60 attempts. Simulated without ledgers: the bound alone decides."""
    draw, rule = random.Random(1), EarnedModeRule()
    ever = 0
    for _ in range(400):
        good = 0
        for n in range(1, 61):
            good += draw.random() < 0.5
            if n >= rule.attempts and binomial_bounds(good, n, rule.confidence)[0] >= rule.helped:
                ever += 1
                break
    assert ever / 400 < 0.05


@pytest.mark.parametrize(
    ("count", "n", "low", "high"), [(10, 10, 0.7411, 1.0), (0, 10, 0.0, 0.2589), (8, 10, 0.4931, 0.9632)]
)
def test_the_exact_bounds_are_those_of_tables(count: int, n: int, low: float, high: float) -> None:
    """``0.05 ** (1 / 10)``, its complement, and SciPy's exact test."""
    assert binomial_bounds(count, n) == pytest.approx((low, high), abs=1e-4)


def test_the_exact_bounds_agree_with_scipy() -> None:
    from scipy.stats import binomtest

    for count, n in ((3, 7), (1, 40), (39, 40)):
        low = binomtest(count, n, alternative="greater").proportion_ci(0.95).low
        high = binomtest(count, n, alternative="less").proportion_ci(0.95).high
        assert binomial_bounds(count, n) == pytest.approx((low, high), abs=1e-9)
    assert binomial_bounds(0, 0) == (0.0, 1.0)
