"""The language of rule tests, declared once: reading, the JSON Schema and the reference all come from here."""

from __future__ import annotations

from typing import Any

from ..config.field_types import AnyOf, Count, Enumeration, ListOf, MapOf, Quantity, ScalarType, Schema, Text, duration
from ..config.literals import parse_duration
from ..config.reader import Reader
from ..config.reference import reference_markdown
from ..config.schema import DIALECT
from ..config.sections import Field, Section
from ..config.vocabulary import NAME, PATH, SEVERITY, TEXT, VERB_PATTERN
from ..config.yaml_nodes import ScalarNode
from ..model.alert import AlertState
from ..timeutil import MINUTE, format_iso, parse_iso_or_none
from .cases import ExpectedAlert, Moment, RuleTest

MAX_KEY_LENGTH = 500
EXPECTED_STATES = (AlertState.FIRING, AlertState.PENDING, AlertState.RESOLVED, AlertState.QUIET)


class MomentType(ScalarType[Moment]):
    """``30h`` after the start of the test, or a date."""

    description = "an offset from the start such as 28d or 30h, or a date such as 2026-12-01T18:00"

    def read_scalar(self, node: ScalarNode, reader: Reader) -> Moment | None:
        text = node.text.strip()
        offset = parse_duration(text)
        if offset is not None:
            return Moment(offset)
        time = parse_iso_or_none(text)
        return Moment(time, is_offset=False) if time is not None else self._reject(node, reader)

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": ["string", "number"], "pattern": "^[0-9]"}


class SeriesType(ScalarType[ScalarNode]):
    """The short notation of a series, which is read when it is known how far apart points are."""

    def __init__(self, description: str) -> None:
        self.description = description

    def read_scalar(self, node: ScalarNode, reader: Reader) -> ScalarNode | None:
        return node

    def schema(self, defs: dict[str, Schema]) -> Schema:
        return {"type": ["string", "number"], "minLength": 1}


MOMENT = MomentType()
START = Quantity(
    "a date such as 2026-12-01 or 2026-12-01T18:00",
    parse_iso_or_none,
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}",
    show=format_iso,
)
ACTION = Text("`issue`, `page` or a workflow such as `retrain`", VERB_PATTERN, max_length=64)
LABELS = MapOf(TEXT, r"[^\s].*", "the name of a label")

ALERT = Section(
    "an expected alert",
    {
        "rule": Field(NAME, "The rule, or a finding of modelwatch itself such as `monitoring-silent`.", required=True),
        "severity": Field(SEVERITY, "Its severity then; by default any."),
        "state": Field(
            Enumeration("a state", EXPECTED_STATES),
            "Its state: `firing`, `pending` (not proven for long enough), `resolved` (in the last 24 h), `quiet`.",
        ),
        "labels": Field(
            LABELS,
            "Only the series with exactly these labels, such as `{region: eu}`; `{}` is the whole. By default the "
            "rule, whichever of its series fires.",
        ),
    },
    dataclass=ExpectedAlert,
)
FIRES = Section(
    "an expected firing",
    {
        "rule": Field(NAME, "The rule.", required=True),
        "by": Field(MOMENT, "It has fired at this time at the latest.", required=True),
        "since": Field(
            MOMENT, "It has not fired before this time (as severe as `severity` says, on the series of `labels`)."
        ),
        "severity": Field(SEVERITY, "At least this severe at some time until then; by default any."),
        "labels": Field(LABELS, "Only the series with exactly these labels; `{}` is the whole."),
    },
    "A rule fires in a period. Use it where the hour depends on noise.",
)
RECOVERS = Section(
    "an expected recovery",
    {
        "rule": Field(NAME, "The rule.", required=True),
        "by": Field(MOMENT, "It has fired before, and has recovered at this time at the latest.", required=True),
    },
)
NEVER = Section(
    "what never fires",
    {
        "rule": Field(NAME, "The rule; by default any."),
        "severity": Field(SEVERITY, "Only as severe as this, or more; by default any."),
        "since": Field(MOMENT, "From this time on, also where it fired before; by default the start."),
        "before": Field(
            MOMENT, "Only before this time; by default until the last point of the test, or its last check."
        ),
    },
)
_without = AnyOf(
    scalar=ACTION,
    sequence=ListOf(ACTION),
    mapping=MapOf(Text("the name of a guard, or `any`", r"[a-z][a-z-]*"), VERB_PATTERN, "an action"),
)
CHECK = Section(
    "a check",
    {
        "at": Field(MOMENT, "The evaluation that `alerts`, `none`, `do` and `not` are about."),
        "alerts": Field(
            ListOf(ALERT), "What it finds. No rule fires that is not in the list; `[]` is the same as `none: true`."
        ),
        "none": Field(Enumeration("`true`", {"true": True}), "No rule fires then."),
        "do": Field(
            AnyOf(scalar=ACTION, sequence=ListOf(ACTION)),
            "What has been done by then, since the start: `issue` (opened), `page` (the on-call was called), or a "
            "workflow that was started.",
        ),
        "not": Field(
            _without,
            "What has not been done by then; as a mapping from each action to the guard that refused it, such as "
            "`{rollback: proposed}`, `{retrain: cooldown}`, or `{page: any}` for whichever guard refused it.",
        ),
        "fires": Field(FIRES, "A rule fires in a period."),
        "recovers": Field(RECOVERS, "A rule that fired recovers in a period."),
        "never": Field(AnyOf(scalar=NAME, mapping=NEVER), "A rule does not fire: its name, or a mapping."),
    },
    "Exactly one of `at`, `fires`, `recovers` and `never`.",
)
TEST = Section(
    "a test",
    {
        "name": Field(
            Text("a text", max_length=200, literal=True), "What it shows, unique in the file.", required=True
        ),
        "model": Field(NAME, "The model whose rules are tested; by default the only one of the configuration."),
        "start": Field(START, "The time of the first point (UTC unless it has an offset)."),
        "every": Field(duration(MINUTE), "The time between two points."),
        "delay": Field(
            duration(), "How long after its time each point is logged, as with metrics that wait for labels."
        ),
        "warm_up": Field(
            duration(),
            "Evaluations begin so long after the start; by default when the longest window of the rules is full (and "
            "`delay` is over), since they report before that that they cannot judge anything.",
        ),
        "seed": Field(Count(low=0), "Another number gives other noise."),
        "series": Field(
            MapOf(
                SeriesType("the values, such as `0.91~0.01x28d 0.80x2d`"),
                r"\S.*",
                "a W&B key",
                max_key_length=MAX_KEY_LENGTH,
            ),
            "What was logged under each W&B key that the rules read: metrics, counts, segments "
            "(`eval/region=eu/accuracy`). Rules whose metric is not there are left out.",
            required=True,
        ),
        "versions": Field(
            SeriesType("versions, such as `v1x28d v2x2d`"),
            "The model version that logged each point; by default none is logged.",
        ),
        "expect": Field(ListOf(CHECK, min_items=1), "What has to be so.", required=True),
    },
    "The rules of one model on series that are written out.",
    dataclass=RuleTest,
)
FILE = Section(
    "the rule tests",
    {
        "version": Field(Enumeration("a format version", {"1": 1}), "The version of the format, `1`.", required=True),
        "config": Field(
            PATH,
            "The configuration, relative to this file; by default `--config`, or `modelwatch.yml` beside the file.",
        ),
        "tests": Field(ListOf(TEST, min_items=1), "The tests.", required=True),
    },
)
INTRODUCTION = """\
# Rule tests

Every key of a file of rule tests, which `modelwatch test` runs; [Backtest](BACKTEST.md#test-your-rules) shows how to
write one. `modelwatch test --print reference` prints this page, `modelwatch test --print schema` the JSON Schema for
editors.

A series is a list of parts with blanks between them:

| part | what it is |
|---|---|
| `0.91` | one point; alone in its series it is repeated at every time of the test |
| `0.91x600`, `0.91x25d` | 600 points; the points of 25 days |
| `0.91-0.001x60` | 60 points that begin at 0.91, each 0.001 less than the one before; `+` goes up |
| `0.91~0.01x600` | normal noise with a standard deviation of 0.01, the same at every run; also `0.9-0.01~0.005x24` |
| `_x5` | five times at which nothing is logged |
| `nanx5`, `infx5` | points that are no number |

Noise takes no share (a metric with `interval: wilson` or `auc`) out of the range from 0 to 1. The number after `x` is
how many points there are (in promtool's notation there is one more). Versions are written in
the same way: `v1x28d v2x48`, and `_x5` where none is logged; one whose name ends like `x2` needs its number of points,
as in `model-x2x48`. What is logged at one time shares a row of W&B.

The rules are evaluated as often as they say (`every`) by the code that judges and plans in production. An evaluation
sees the point of its own time; a check at another time is about the evaluation before it. In a test there are no other
models, nobody answers, and workflows succeed after half an hour.

A check that could not fail fails, and says why: `never`, `none`, `alerts` and `not` where a rule was judged at no
evaluation of that time (of the test until then, with `at`), since it had no baseline yet, or no data; labels that no
series has. Rules that a test cannot provoke, and periods that end before they begin, are refused. A rolling baseline
takes for normal what comes first, however bad it is.
"""


def json_schema() -> dict[str, Any]:
    """Draft 2020-12."""
    defs: dict[str, Any] = {}
    top = FILE.schema(defs)
    return {"$schema": DIALECT, "title": "modelwatch-tests.yml", **top, "$defs": dict(sorted(defs.items()))}


def reference_page() -> str:
    """Markdown: a table for each section."""
    return reference_markdown(INTRODUCTION, (FILE, TEST, CHECK))
