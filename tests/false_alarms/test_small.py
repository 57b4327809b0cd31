"""A small sample of ``make false-alarms``: the rates hold, and what should be found is found."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from modelwatch.stats.drift.methods import BINNED_STATISTICS, METHODS
from modelwatch.stats.drift.null_distribution import FALSE_ALARM_RATE

from . import __main__ as table
from . import histograms, model_year_table, model_years, others
from .model_year_table import FailingModels, HealthyYears
from .model_years import BUDGETS, YEAR, Change, World
from .model_years import WORLDS as MODEL_WORLDS
from .tally import Tally
from .worlds import NUMBERS, SHIFTS, WORLDS, Shares


def too_often(tallies: Mapping[str, Tally], rate: float = FALSE_ALARM_RATE) -> dict[str, float]:
    return {method: one.share for method, one in tallies.items() if one.least() > rate}


@pytest.mark.parametrize("name", ["normal", "few values", "2 categories", "100 categories"])
def test_nothing_alarms_more_often_than_stated_where_nothing_changed(name: str) -> None:
    world = WORLDS[name]
    methods = METHODS if name in NUMBERS else tuple(BINNED_STATISTICS)
    assert too_often(histograms.alarms(world, world, 100, 100, np.random.default_rng(1), methods)) == {}


def test_one_rule_over_many_features_alarms_as_seldom_as_over_one() -> None:
    world = WORLDS["normal"]
    rng = np.random.default_rng(1)
    assert too_often(histograms.alarms(world, world, 1000, 200, rng, ("wasserstein", "total_variation"), 25)) == {}


@pytest.mark.parametrize("name", ["few values", "many zeros"])
def test_whole_numbers_in_bins_that_cut_them_differently_every_day_do_not_drift(name: str) -> None:
    """PSI of a sliver of a whole number: 28 % false alarms, where its share was taken as it interpolates."""
    world = WORLDS[name]
    assert too_often(histograms.alarms(world, world, 1000, 100, np.random.default_rng(1), METHODS, own=True)) == {}
    tallies = histograms.alarms(
        *SHIFTS["counts 3 -> 3.6"], 1000, 20, np.random.default_rng(1), tuple(BINNED_STATISTICS), own=True
    )
    assert {method for method, one in tallies.items() if one.share < 0.9} == set()


EVENLY = np.append(np.full(16, 0.997 / 16), 0.003)
NINE_COMMON = np.array([0.1] * 9 + [0.0134] * 7 + [0.003])
LAST_BUT_ONE = np.array([0.006] * 15 + [0.907, 0.003])


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("shares", [EVENLY, NINE_COMMON, LAST_BUT_ONE])
def test_a_rare_largest_value_at_few_rows_does_not_drift(shares: np.ndarray, own: bool) -> None:
    """17 whole numbers, 165 rows a day: 3 to 30 % false alarms of PSI where a bin of its own expected half a value, and
    44 % where the range of W&B's bins ended now at, now beyond the commonest number."""
    world = Shares(shares, np.arange(17.0))
    rng = np.random.default_rng(3)
    assert too_often(histograms.alarms(world, world, 165, 150, rng, METHODS, own=own, reference=4620)) == {}


def test_profiles_hold_their_rates_and_find() -> None:
    for name, reference in (("skewed", 10_000), ("few values", 10_000), ("normal", 300)):
        tallies = histograms.captured_alarms(WORLDS[name], WORLDS[name], 1000, 40, np.random.default_rng(1), reference)
        assert too_often(tallies) == {}
    tallies = histograms.captured_alarms(*SHIFTS["mean + 0.5 sd"], 1000, 10, np.random.default_rng(1), 10_000)
    assert {method: one.power for method, one in tallies.items() if one.power < 0.95} == {}


def line(data: str, size: int, alarms: int, windows: int = 2000) -> dict[table.Job, dict[str, Tally]]:
    return {table.Job("rules, numbers", data, size, windows): {"psi": Tally(windows, alarms, alarms)}}


@pytest.mark.parametrize(
    ("alarms", "wrong"),
    [
        ((20, 20, 20, 20, 20), 0),
        ((20, 20, 20, 20, 33), 0),  # high for one cell, not for the highest of five
        ((4, 4, 4, 4, 45), 1),  # a cell alone
        ((27, 27, 27, 27, 27), 1),  # all together, no cell alone
        ((30, 30, 30, 30, 60), 2),
    ],
)
def test_the_verdict_is_on_all_windows_together_and_on_what_a_cell_cannot_be_by_chance(
    alarms: tuple[int, ...], wrong: int, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {job: one for place, many in enumerate(alarms) for job, one in line(str(place), 1000, many).items()}
    assert table.print_verdict(found) == wrong
    assert ("ABOVE" in capsys.readouterr().out) == (sum(alarms) > 123)


def test_one_alarm_of_what_cannot_be_decided_and_a_million_rows_fail_on_their_own() -> None:
    calm = line("normal", 1000, 5, 20_000)
    assert table.print_verdict(calm) == 0
    assert table.print_verdict(calm | line("normal", 50, 1)) == 1
    assert table.print_verdict(calm | line("normal", 1_000_000, 9, 200)) == 2  # the default, and its only cell


@pytest.mark.parametrize(("alarms", "status"), [(1, 0), (5, 1)])
def test_the_run_ends_with_1_where_a_default_alarms_too_often(
    alarms: int, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Here:
        """No other processes: they would not see what stands in for a task."""

        def __init__(self, *args: object, **more: object) -> None: ...
        def __enter__(self) -> Here:
            return self

        def __exit__(self, *args: object) -> None: ...

        map = staticmethod(map)

    monkeypatch.setattr(table, "ProcessPoolExecutor", Here)
    monkeypatch.setattr("sys.argv", ["false_alarms", "--years", "0"])
    monkeypatch.setattr(table, "jobs", lambda _: [table.Job("rules, numbers", "normal", 1000, 100)])
    monkeypatch.setattr(table, "task", lambda _: {"psi": Tally(100, alarms, alarms)})
    assert table.main() == status
    assert ("ABOVE" in capsys.readouterr().out) == bool(status)


def test_everything_is_measured_on_as_many_windows_as_the_verdict_asks_for() -> None:
    small: dict[str, int] = {}
    huge: dict[str, int] = {}
    for job in table.jobs(table.WINDOWS):
        if job.rate and job.size >= 100:
            sums = huge if job.size >= table.HUGE else small
            sums[job.kind] = sums.get(job.kind, 0) + job.windows
    assert not {kind for kind, windows in small.items() if windows < 10_000}
    assert not {kind for kind, windows in huge.items() if windows < 200}
    assert small.keys() - huge.keys() == {"rules, numbers, unlike", "rules, categories, unlike"}


def test_a_statistic_that_takes_the_reference_for_exact_would_be_caught() -> None:
    """The table can fail: chi-square of one sample against shares that are themselves a sample."""
    from scipy.stats import chi2

    rng = np.random.default_rng(1)
    r, c = rng.multinomial(1000, np.full(10, 0.1), size=(2, 300))
    p_value = chi2.sf(((r - c) ** 2 / r).sum(axis=1), 9)
    assert too_often({"exact": Tally.of(p_value <= FALSE_ALARM_RATE)})


def test_fewer_than_a_hundred_values_never_alarm() -> None:
    tallies = histograms.alarms(*SHIFTS["mean + 0.5 sd"], 99, 20, np.random.default_rng(1), METHODS)
    assert all(one.alarms == 0 and one.windows == 20 for one in tallies.values())


@pytest.mark.parametrize("name", ["mean + 0.5 sd", "a category halves"])
def test_a_named_shift_is_found_by_every_method(name: str) -> None:
    methods = METHODS if name.startswith("mean") else tuple(BINNED_STATISTICS)
    tallies = histograms.alarms(*SHIFTS[name], 1000, 20, np.random.default_rng(1), methods)
    assert {method: one.power for method, one in tallies.items() if one.power < 0.95} == {}


def test_the_search_and_measures_of_embeddings_hold_their_rates_and_find() -> None:
    rng = np.random.default_rng(1)
    assert (
        too_often({name: others.segments(name, 1000, 40, rng) for name in list(others.SIDES)[:2]}, others.LEVEL) == {}
    )
    assert others.segments("one segment drops", 10_000, 10, rng).power == 1
    for method in ("classifier_auc", "mmd"):
        assert too_often({method: others.rows(method, 0.0, 100, 40, rng)}) == {}
        assert others.rows(method, 0.5, 200, 5, rng).power == 1


def seen_too_often(name: str, years: int = 1) -> bool:
    alarms = HealthyYears(name, years).count()
    return model_year_table.is_over_promise(MODEL_WORLDS[name], alarms, years)


@pytest.mark.parametrize("name", [name for name, world in MODEL_WORLDS.items() if world.segments <= 5])
def test_rules_keep_their_budget_where_nothing_gets_worse(name: str) -> None:
    assert not seen_too_often(name)


def test_a_rule_without_a_budget_alarms_too_often() -> None:
    """The table can fail: README's rule as 0.1 decided it."""
    world = World(200)
    alarms = model_years.false_alarms(model_years.readme_rule((None,) * 3), world, YEAR, np.random.default_rng(1))
    assert model_year_table.is_over_promise(world, alarms, 1)
    assert not model_year_table.is_over_promise(world, np.zeros_like(alarms), 1)


def test_bounds_of_a_rate_are_poissons() -> None:
    alarms = np.array([0, 1, 10])
    assert model_year_table.lower_bound(alarms, 2) == pytest.approx([0, 0.01005 / 2, 4.130 / 2], rel=1e-3)
    assert model_year_table.upper_bound(alarms, 2) == pytest.approx([4.605 / 2, 6.638 / 2, 20.14 / 2], rel=1e-3)


def test_a_nuisance_may_alarm_twice_as_often() -> None:
    alarms = np.array([60, 0, 0])
    assert model_year_table.is_over_promise(World(), alarms, 10)
    assert not model_year_table.is_over_promise(World(is_nuisance=True), alarms, 10)


def test_model_years_are_about_as_many_as_requested_and_no_world_is_left_out() -> None:
    jobs = list(model_year_table.healthy_jobs(model_year_table.YEARS))
    assert sum(job.years for job in jobs) == pytest.approx(model_year_table.YEARS, rel=0.1)
    assert {job.world for job in jobs} == MODEL_WORLDS.keys()
    assert len({(job.world, job.part) for job in jobs}) == len(jobs)


def test_a_drop_of_twelve_per_cent_is_critical_within_a_day() -> None:
    hours, (mild, severe) = FailingModels(1000, Change(0.12), 6).measure()
    assert list(hours) == sorted(hours)
    assert hours[-1] <= 24
    assert mild < 0.1
    assert severe == 0


def test_a_drop_between_two_limits_is_seldom_called_the_severer() -> None:
    """8 %, with limits of 5 and 10: half of all hours were critical."""
    _, (mild, severe) = FailingModels(200, Change(0.08), 8).measure()
    assert mild < 0.1
    assert severe < 0.25


def test_delays_and_wrong_tiers_are_counted() -> None:
    reached = np.array([[-1, -1, 1, 1, 2, 3], [-1, -1, -1, -1, -1, -1]])
    hours, shares = model_years.tier_delays(reached, 0.05)
    assert hours.tolist() == [3, 5, 6]
    assert shares == pytest.approx([4 / 6, 1 / 6])
    assert model_years.count_beginnings(np.array([[1, 1, -1, 2, 3, 1, 3]])).tolist() == [2, 2, 2]


def test_promises_are_the_budgets() -> None:
    assert pytest.approx(365 * 86400 / np.array(BUDGETS)) == model_year_table.PROMISED


SMALLEST_JOBS = {
    f"{job.table}, {job.data}" if job.table.endswith("embeddings") else job.table: job
    for job in sorted(table.jobs(1), key=lambda job: -job.size)
}
"""The smallest job of each table, and of each of its methods where data are methods."""


@pytest.mark.parametrize("name", SMALLEST_JOBS)
def test_every_table_can_be_drawn(name: str) -> None:
    tallies = table.task((SMALLEST_JOBS[name], 1, 1))
    assert tallies
    assert all(one.windows for one in tallies.values())
