"""What simulated worlds gave: whether tuned rules keep their budget out of sample, and find incidents no later."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scipy.stats import beta

from modelwatch.backtest.tuning import TuningOptions, suggest
from modelwatch.model.tuning import SettingScore, Suggestion
from modelwatch.stats.intervals import poisson_upper
from modelwatch.timeutil import DAY, HOUR

from .worlds import TuningWorld


@dataclass(frozen=True, slots=True)
class Tally:
    """Out of sample, over worlds with one budget."""

    budget: float
    """False alerts a second."""
    worlds: int = 0
    suggested: int = 0
    """Worlds with a suggestion."""
    changed: int = 0
    """Of these, those whose suggestion is not the present setting."""
    exposure: float = 0.0
    tuned_false: int = 0
    present_false: int = 0
    later: int = 0
    """Incidents that the tuned rule finds later than the hand-set one."""
    sooner: int = 0
    alike: int = 0
    tuned_missed: int = 0
    present_missed: int = 0
    gained: float = 0.0
    """Seconds by which the tuned rule is sooner, over all incidents."""
    present_delay: float = 0.0

    @property
    def upper(self) -> float:
        """95 % upper bound of the false alerts of tuned rules a second (Poisson, exact, one-sided)."""
        return poisson_upper(self.tuned_false, self.exposure)

    @property
    def keeps_budget(self) -> bool:
        return self.upper <= self.budget

    @property
    def present_keeps_budget(self) -> bool:
        """Whether the hand-set rules had no more false alerts than their budget has."""
        return self.present_false <= self.budget * self.exposure

    @property
    def later_upper(self) -> float:
        """95 % upper bound of the share of incidents that are found later (Clopper and Pearson 1934, one-sided)."""
        count = self.later + self.sooner + self.alike
        return float(beta.ppf(0.95, self.later + 1, count - self.later)) if self.later < count else 1.0


def add_world(tally: Tally, found: Suggestion) -> Tally:
    """``tally`` with one world; one without a suggestion counts only as such."""
    if found.chosen is None or found.chosen_held_out is None or found.present_held_out is None:
        return _more(tally, worlds=1)
    tuned, present = found.chosen_held_out.score, found.present_held_out.score
    pairs = list(zip(tuned.delays, present.delays, strict=True))
    return _more(
        tally,
        worlds=1,
        suggested=1,
        changed=int(found.changes_something),
        exposure=tuned.exposure,
        tuned_false=tuned.false_alerts,
        present_false=present.false_alerts,
        later=sum(own.seconds > other.seconds for own, other in pairs),
        sooner=sum(own.seconds < other.seconds for own, other in pairs),
        alike=sum(own.seconds == other.seconds for own, other in pairs),
        tuned_missed=tuned.missed,
        present_missed=present.missed,
        gained=_total(present) - _total(tuned),
        present_delay=_total(present),
    )


def _total(score: SettingScore) -> float:
    return sum(delay.seconds for delay in score.delays)


def _more(tally: Tally, **counts: float) -> Tally:
    values = {name: getattr(tally, name) for name in Tally.__dataclass_fields__}
    return Tally(**{name: value + counts.get(name, 0) for name, value in values.items()})


def tune_world(world: TuningWorld, options: TuningOptions) -> Suggestion:
    return suggest(world.model, world.rule, world.history, world.span, world.incidents, world.budget, options)


def sum_up(tallies: Iterable[Tally], budget: float) -> Tally:
    total = Tally(budget)
    for tally in tallies:
        total = _more(total, **{name: getattr(tally, name) for name in Tally.__dataclass_fields__ if name != "budget"})
    return total


HEAD = (
    "| worlds | tuned | another setting | budget | false alerts | years | at most (95 %) | hand-set: false | incidents "
    "| sooner | later | missed | hand-set: missed | found after | hand-set: found after |"
)


def row(name: str, tally: Tally) -> str:
    """A row of the table in FIGURES."""
    count = tally.later + tally.sooner + tally.alike
    present = tally.present_delay / max(count, 1) / HOUR
    tuned = present - tally.gained / max(count, 1) / HOUR
    cells = (
        f"{name} ({tally.worlds})",
        tally.suggested,
        tally.changed,
        f"1 in {1 / tally.budget / DAY:.0f} d",
        tally.tuned_false,
        f"{tally.exposure / DAY / 365:.1f}",
        f"1 in {1 / tally.upper / DAY:.0f} d" if tally.exposure else "—",
        tally.present_false,
        count,
        tally.sooner,
        f"{tally.later} (at most {tally.later_upper:.0%})",
        tally.tuned_missed,
        tally.present_missed,
        f"{tuned:.1f} h",
        f"{present:.1f} h",
    )
    return f"| {' | '.join(map(str, cells))} |"
