"""Why, in words."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from modelwatch.model.explanation import DriftedInput, Explanation, SegmentContribution
from modelwatch.model.severity import Severity
from modelwatch.model.unit import MINUS
from modelwatch.report.explanation import explanation_section, explanation_text
from modelwatch.stats.decomposition import decompose

LATAM = (("region", "latam"),)
BAD = SegmentContribution(LATAM, 0.3, 0.31, 0.91, 0.7, -0.0005, -0.046, 1e-12)
REST = SegmentContribution((), 0.7, 0.69, 0.93, 0.92, -0.0010, -0.0025)
T = 1_795_068_000.0
WHY = Explanation(
    T + 7200,
    -0.05,
    -0.0015,
    -0.0485,
    (BAD, REST),
    2,
    BAD,
    since=T,
    since_labels=LATAM,
    version="v7",
    version_since=T,
)


def test_the_sentences() -> None:
    assert explanation_text(WHY) == (
        "region=latam accounts for 93 % of the drop: it fell from 0.91 to 0.7. Traffic mix is unchanged. "
        "The level changed in region=latam at 2026-11-19 06:00 UTC, when version v7 was first seen."
    )


def test_a_search_tells_how_far_it_looked() -> None:
    assert "Found by searching 48 segments, p < 0.001. Traffic mix is unchanged. The level changed" in explanation_text(
        replace(WHY, searched=48)
    )
    likely = replace(WHY, searched=48, found=replace(BAD, p=0.0123))
    assert "Found by searching 48 segments, p = 0.012." in explanation_text(likely)


def test_what_others_made_up_for_is_the_whole_drop() -> None:
    told = explanation_text(replace(WHY, found=replace(BAD, rate=-0.0525)))
    assert told.startswith("region=latam accounts for the whole drop: it fell from 0.91 to 0.7. Traffic mix")


def test_a_later_beginning_says_how_much_later() -> None:
    assert "06:00 UTC, 2 h after version v7 was first seen." in explanation_text(replace(WHY, version_since=T - 7200))
    assert explanation_text(replace(WHY, version="")).endswith("06:00 UTC.")


def test_what_came_day_by_day_is_no_jump() -> None:
    why = replace(WHY, version_since=T - 7200)
    assert explanation_text(why, gradual=True).endswith(
        "The change began in region=latam about 2026-11-19, 2 h after version v7 was first seen."
    )
    assert "The change began" in explanation_section(why, gradual=True)


def test_no_single_segment() -> None:
    told = explanation_text(replace(WHY, found=None))
    assert told.startswith(
        "No single segment explains most of the drop; region=latam contributes most (93 %). Traffic mix is unchanged."
    )


def test_all_segments_alike() -> None:
    parts = (BAD, replace(BAD, labels=(("region", "eu"),), before=0.92, value=0.75))
    assert explanation_text(replace(WHY, parts=parts, found=None)).startswith(
        "Every region dropped by about the same amount. Traffic mix is unchanged."
    )
    uneven = (BAD, replace(BAD, labels=(("region", "eu"),), before=0.92, value=0.9))
    assert explanation_text(replace(WHY, parts=uneven, found=None)).startswith("No single segment explains")
    assert explanation_text(replace(WHY, parts=parts, parts_seen=3, found=None)).startswith("No single segment")


def test_a_changed_mix_without_effect_is_not_called_unchanged() -> None:
    grown = replace(BAD, share=0.4)
    assert "The change in traffic mix has little effect." in explanation_text(replace(WHY, parts=(grown, REST)))


def test_the_mix_of_segments() -> None:
    told = explanation_text(replace(WHY, found=None, mix=-0.04, rate=-0.01))
    assert told.startswith(
        "Most of the drop comes from segments that changed size; region=latam contributes most (93 %). Of the drop, "
        "20 % comes from lower values in the segments, and 80 % from the change in traffic mix."
    )


def test_what_worked_against_the_change_is_said_to_offset_it() -> None:
    """By mix it dropped although every segment improved, and the other way round."""
    better = replace(BAD, mix=-0.0625, rate=0.0125)
    told = explanation_text(replace(WHY, found=None, mix=-0.0625, rate=0.0125, parts=(better,), parts_seen=1))
    assert "All of the drop comes from the change in traffic mix; higher values in the segments offset 20 %." in told
    told = explanation_text(replace(WHY, found=None, mix=0.0125, rate=-0.0625))
    assert "All of the drop comes from lower values in the segments; the change in traffic mix offset 20 %." in told


def test_no_segment_contributes_more_than_all_that_got_worse() -> None:
    """While a metric recovers, what is left of a drop is the difference of what got worse and what got better."""
    eu = replace(BAD, labels=(("region", "eu"),), before=0.91, value=0.90, mix=0.0, rate=-0.00268)
    others = replace(BAD, labels=(("region", "na"),), before=0.91, value=0.92, mix=0.0, rate=0.00253)
    why = replace(WHY, total=-0.00015, mix=0.0, rate=-0.00015, parts=(eu, others), found=None)
    told = explanation_text(why)
    assert "Segments moved against each other: some got better, and offset 94 % of the drop in others." in told
    assert "region=eu contributes most (100 %)" in told
    for text in (told, explanation_section(why), explanation_text(replace(why, found=eu))):
        assert all(int(share.replace(",", "")) <= 100 for share in re.findall(r"([\d,]+) %", text))


Side = tuple[float, float]
SIDE = st.tuples(st.floats(1, 1000), st.floats(-1, 1))
SHARES = re.compile(r"(\d+) %")


@given(st.lists(st.tuples(SIDE, SIDE), min_size=2, max_size=4))
def test_the_sentence_on_mix_is_true_for_each_sign(
    segments: list[tuple[tuple[float, float], tuple[float, float]]],
) -> None:
    columns = [[side[place] for side in sides] for sides in zip(*segments, strict=True) for place in (0, 1)]
    split = decompose(*columns)
    total, mix, rate = float(split.total), float(split.total_mix), float(split.total_rate)
    assume(abs(total) > 0.001 and abs(mix / total) > 0.06 and abs(rate / total) < 50)
    parts = tuple(
        SegmentContribution((("s", str(place)),), 0.5, 0.5, before[1], after[1], float(mix), float(rate))
        for place, ((before, after), mix, rate) in enumerate(zip(segments, split.mix, split.rate, strict=True))
    )
    why = replace(WHY, found=None, total=total, mix=mix, rate=rate, parts=parts, parts_seen=len(parts))
    (told,) = (one for one in explanation_text(why).split(". ") if "the change in traffic mix" in one.lower())
    assert MINUS not in told
    assert ("drop" if total < 0 else "rise") in told
    assert ("lower values" if rate < 0 else "higher values") in told.lower()
    if "on balance" not in told:
        assert not [part for part in parts if part.rate * rate < 0 and abs(part.rate) > 0.051 * abs(total)]
    shares = [int(share) for share in SHARES.findall(told.replace(",", ""))]
    if mix * rate < 0:
        larger, smaller = max(abs(mix), abs(rate)), min(abs(mix), abs(rate))
        assert abs(shares[-1] - 100 * smaller / larger) <= 1
    else:
        assert abs(sum(shares) - 100) <= 1
    assert ("offset" in told) == (mix * rate < 0)
    if mix * rate < 0:
        cause = told.lower().partition(" comes from ")[2]
        assert cause.startswith("the change in traffic mix" if abs(mix) > abs(rate) else ("lower", "higher"))


def test_new_gone_and_growing_segments() -> None:
    assert "region=latam accounts for 93 % of the drop: it is new." in explanation_text(
        replace(WHY, found=replace(BAD, before=None))
    )
    assert "region=latam accounts for 93 % of the drop: it is gone." in explanation_text(
        replace(WHY, found=replace(BAD, value=None))
    )
    grown = explanation_text(replace(WHY, found=replace(BAD, share=0.6, mix=-0.04, rate=-0.005)))
    assert grown.startswith("region=latam accounts for 90 % of the drop: it grew from 30 % to 60 % of the rows.")


def test_inputs_that_moved() -> None:
    features = (
        DriftedInput("age", "inputs", 0.41, Severity.ERROR, 0.63),
        DriftedInput("plan", "inputs", 0.3, Severity.WARNING, unit="psi"),
    )
    told = explanation_text(replace(WHY, features=features))
    assert told.endswith(
        "Inputs that drifted at the same time: "
        "age (0.41, rule inputs, 63 % of the drop is in the rows that drifted); plan (PSI 0.3, rule inputs)."
    )


def test_a_rise_is_called_so() -> None:
    risen = replace(BAD, mix=0.0005, rate=0.046)
    assert "region=latam accounts for 93 % of the rise: it" in explanation_text(
        replace(WHY, total=0.05, mix=0.0015, rate=0.0485, parts=(risen,), found=risen)
    )


def test_the_table_adds_up() -> None:
    table = explanation_section(WHY).partition("\n\n")[2].splitlines()
    assert table[2] == "| `region=latam` | 0.91 → 0.7 | 30 → 31 % | 92 % | 1 % |"
    assert table[3].startswith("| all others |")
    assert table[-1] == "| total |  |  | 97 % | 3 % |"


def test_what_stands_beyond_the_table_is_one_row() -> None:
    many = tuple(replace(BAD, labels=(("region", str(place)),), rate=-0.004, mix=0.0) for place in range(10))
    table = explanation_section(replace(WHY, total=-0.05, parts=many, parts_seen=12)).splitlines()
    assert table[-2] == "| 7 more |  |  | 57 % | 3 % |"


def test_nothing_known_says_nothing() -> None:
    assert (explanation_section(None), explanation_text(None)) == ("", "")
    assert explanation_section(Explanation(T, -0.1)) == ""


def test_hostile_labels_stay_labels() -> None:
    evil = replace(BAD, labels=(("region", "@all |\n](http://x)"),))
    told = explanation_section(
        replace(WHY, parts=(evil, REST), found=evil, since_labels=evil.labels, version="`v7`\n# x")
    )
    assert "`region=@all ¦ ](http://x)`" in told
    assert "\n# x" not in told
