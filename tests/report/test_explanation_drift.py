"""What drifted, in words."""

from __future__ import annotations

import math

import pytest

from modelwatch.model.alert import Evidence
from modelwatch.model.drift import DistributionChange, FeatureDrift, QuantileChange, ReferenceDrift, ShareChange
from modelwatch.model.rule import BaselineKind
from modelwatch.report.explanation import change_text, drift_section, drift_sentence, drift_text
from modelwatch.report.markdown import code, plain_line
from modelwatch.timeutil import DAY

FILE = ReferenceDrift(BaselineKind.FILE, "train.npz", 0.0, 0.312, True)
NEAR = ReferenceDrift(BaselineKind.ROLLING, "", 28 * DAY, 0.04, False)
FAR = ReferenceDrift(BaselineKind.ROLLING, "", 28 * DAY, 0.29, True)


def test_creep_is_said_in_words() -> None:
    assert drift_sentence(FeatureDrift("tenure", "psi", 0.312, (FILE, NEAR)), code) == (
        "`tenure`: PSI 0.312 against the reference `train.npz`, 0.04 (could be chance) against the 28 d up to a "
        "week before the window: it drifted slowly."
    )


@pytest.mark.parametrize(
    ("against", "end"),
    [
        ((FILE, FAR), ": it drifted within that time."),
        ((FILE,), "against the reference train.npz."),
        (
            (ReferenceDrift(BaselineKind.VERSION, "previous", 0.0, None), FAR),
            "against the 28 d up to a week before the window.",
        ),
        ((ReferenceDrift(BaselineKind.FILE, "a", 0.0, 0.3, True, 0.008),), "shifts at most 0.8 % of the values."),
        (
            (ReferenceDrift(BaselineKind.SEASONAL, "", 14 * DAY, 0.3, True, 0.0, 0.125),),
            (
                "against the same hours of the week over 14 d. 12 % of its values are categories that the reference "
                "does not have."
            ),
        ),
    ],
)
def test_each_reference_is_named(against: tuple[ReferenceDrift, ...], end: str) -> None:
    assert drift_sentence(FeatureDrift("tenure", "ks", 0.3, against), plain_line).endswith(end)


AGE = DistributionChange(
    (38.2, 52.4), 12.0, (QuantileChange(0.1, 20, 33), QuantileChange(0.5, 38, 52), QuantileChange(0.9, 60, 71))
)
WIDER = DistributionChange(
    (3.0, 3.1), 2.0, (QuantileChange(0.1, 1, -2), QuantileChange(0.5, 3, 3), QuantileChange(0.9, 5, 8.26))
)
CITY = DistributionChange(shares=(ShareChange("urban", 0.7, 0.55), ShareChange("a|b", 0.2, 0.34)))
CLOSE = DistributionChange(shares=(ShareChange("", 0.0123, 0.0148),))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (AGE, "mean 38 → 52"),
        (WIDER, "median 3 → 3, 10 % to 90 % of values 1 to 5 → −2 to 8.3"),
        (CITY, "`urban` 70 % → 55 %, `a¦b` 20 % → 34 %"),
        (CLOSE, "a category 1.2 % → 1.5 %"),
        (DistributionChange((1001.0, 1004.0), 2.0), "mean 1,001 → 1,004"),
        (DistributionChange((0.5, 0.5), 0.0), ""),
        (DistributionChange((math.nan, math.nan), math.nan), ""),
        (None, ""),
    ],
)
def test_a_change_is_described_as_people_read_it(change: DistributionChange | None, words: str) -> None:
    assert change_text(change, code) == words


def test_the_change_comes_before_the_measure() -> None:
    said = drift_sentence(FeatureDrift("age", "psi", 0.312, (FILE,), change=AGE), plain_line)
    assert said == "age: mean 38 → 52; PSI 0.312 against the reference train.npz."


def test_an_unknown_reference_is_called_so() -> None:
    nothing = ReferenceDrift(BaselineKind.VERSION, "v6", 0.0, None)
    assert drift_sentence(FeatureDrift("", "wasserstein", 0.3, (nothing,)), plain_line) == (
        "Wasserstein distance (in standard deviations) unknown against version v6."
    )


def test_features_stand_worst_first_and_few() -> None:
    many = tuple(FeatureDrift(f"f{i}", "psi", 1.0 - i / 10, (FILE,)) for i in range(7))
    told = drift_section(Evidence(drifted=many, features=20)).splitlines()
    assert told[0] == "7 of 20 features drifted, worst first:"
    assert told[2].startswith("- `f0`: PSI 0.312")
    assert told[-1] == "- And 2 more."
    assert len(told) == 8


def test_nothing_is_said_of_numbers_that_somebody_logged() -> None:
    assert drift_section(Evidence()) == drift_text(Evidence()) == ""
    assert drift_section(Evidence(drifted=(FeatureDrift("age", "psi", 0.3),))) == ""
    assert drift_section(Evidence(features=4)) == "None of 4 features drifted."


def test_a_feature_s_name_from_outside_is_shown_as_it_is() -> None:
    said = drift_sentence(FeatureDrift("a|`b`\n@you", "psi", 0.3, (FILE,)), code)
    assert "\n" not in said
    assert said.startswith("``")
