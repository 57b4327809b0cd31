"""The ``release`` section: its keys, and reading it into a ``ReleaseSpec``."""

from __future__ import annotations

from ..errors import did_you_mean
from ..model.monitored_model import CanarySpec, GateSpec, ReleaseSpec, WandbSpec
from ..model.prediction_log import GATE_METRICS, RANKING_METRICS, MeasureSpec
from ..model.rule import Direction
from ..timeutil import DAY, HOUR
from .field_types import Count, Enumeration, Number, Percentage, SecretText, Text, duration, one_or_more
from .reader import Reader, shorten
from .sections import Field, ParsedSection, Section
from .vocabulary import MODE, TEXT, TEXTS
from .yaml_nodes import ScalarNode


class CommandText(Text):
    """Text for bash, whose ``${NAME}`` is the shell's: nothing is filled in here."""

    def read_scalar(self, node: ScalarNode, reader: Reader) -> str | None:
        if node.text.strip():
            return node.text
        reader.add_problem(node, f"expected {self.description} here, and there is only blank space.")
        return None


_command = CommandText("a command", max_length=10_000)
_collection = Text(
    "a collection as entity/project/name",
    r"[^\s/:]+/[^\s/:]+/[^\s/:]+",
    hint="As in W&B; a registry's is <organisation>/wandb-registry-<name>/<collection>.",
)
_stakeholder = Text(
    "a GitHub login `@name` or a team `@org/team`", r"@[A-Za-z0-9][A-Za-z0-9_-]{0,38}(?:/[A-Za-z0-9][A-Za-z0-9._-]*)?"
)

GATE = Section(
    "the gate",
    {
        "holdout": Field(
            TEXT, "Predictions on the fixed holdout: a file, a pattern or a W&B artifact, with `{version}` in its name."
        ),
        "recent": Field(TEXT, "Predictions on the most recent window, in the same way."),
        "metric": Field(Text("a metric", r"[a-z][a-z0-9_]*"), "The primary metric."),
        "better": Field(Enumeration("a direction", Direction), "Which direction is good."),
        "alpha": Field(Percentage(high=0.5), "The probability that a candidate that is no better passes."),
        "margin": Field(Number(low=0.0), "How much worse a guarded segment can be, in the metric's unit."),
        "segments": Field(TEXTS, "Columns whose values are guarded segments."),
        "min_rows": Field(
            Count(), "A segment with fewer rows (of a ranking: queries) is not guarded.", attribute="least"
        ),
        "latency": Field(TEXT, "The column of the latency."),
        "latency_margin": Field(Percentage(), "How much slower the 95th percentile can be."),
    },
    "How a candidate is compared with the champion.",
    dataclass=GateSpec,
    renamed={"least": "min_rows"},
)
CANARY = Section(
    "the canary",
    {
        "percent": Field(Number(above=0.0, high=100.0), "The percentage of the traffic that the canary gets."),
        "length": Field(duration(60.0), "How long it must serve before it can be promoted."),
        "min_predictions": Field(
            Count(), "How many predictions it must have made before it can be promoted.", attribute="least"
        ),
    },
    "How a candidate is tried on part of the traffic.",
    dataclass=CanarySpec,
    renamed={"least": "min_predictions"},
)
RELEASE = Section(
    "the release section",
    {
        "artifact": Field(_collection, "The W&B collection whose aliases say which version serves."),
        "type": Field(TEXT, "The type of its artifacts."),
        "train": Field(_command, "The command that trains and logs a new version; run by bash."),
        "deploy": Field(
            _command, "The command that makes `MODELWATCH_SERVING` true, such as `v2:95 v3:5`; run by bash."
        ),
        "degrade": Field(_command, "The same for `fallback:100`, a simpler model or rule, and back."),
        "check": Field(
            _command,
            "The command that checks, before a rollback, whether an earlier version can take over; run by bash with "
            "the variables of `deploy`. If it fails, that version is refused and the next one is considered.",
        ),
        "check_timeout": Field(duration(1.0), "A check that takes longer is stopped and counts as failed."),
        "data": Field(TEXT, "The key of the data version, in metadata or config."),
        "window": Field(duration(DAY), "The period of data for a retraining."),
        "every": Field(
            Enumeration("`monthly` or `quarterly`", ("monthly", "quarterly")),
            "How often to retrain without an alert, on your workflow's schedule; a late retraining is reported.",
        ),
        "gate": Field(GATE, "How a candidate is compared with the champion."),
        "canary": Field(CANARY, "How a candidate is tried on part of the traffic."),
        "promote": Field(MODE, "Whether a good canary is promoted."),
        "keep": Field(Count(), "How many versions that were in production must stay available."),
        "max_rollbacks": Field(
            Count(), "More rollbacks than this within `rollback_period` raise an alert.", attribute="most"
        ),
        "rollback_period": Field(duration(HOUR), "The period of `max_rollbacks`.", attribute="most_period"),
        "stakeholders": Field(one_or_more(_stakeholder), "Mentioned on the issue of a promotion or rollback."),
        "webhook": Field(SecretText(), "An https address that receives each promotion and rollback, as `${NAME}`."),
    },
    "Which version serves, and how to change it.",
    dataclass=ReleaseSpec,
    renamed={"most": "max_rollbacks", "most_period": "rollback_period"},
)


def check_release(section: ParsedSection, wandb: WandbSpec | None, measure: MeasureSpec | None) -> None:
    """What must fit together, and with the rest of the model."""
    if "artifact" not in section:
        hint = "For example `artifact: acme/churn-train/churn`: entity/project/name as in W&B."
        section.add_problem("the release section needs `artifact`: the W&B collection of the versions.", hint)
    if "canary" in section and "deploy" not in section:
        message = "a canary needs `deploy`: the command that gives it its share of the traffic."
        section.add_problem(message, key="canary")
    if "check_timeout" in section and "check" not in section:
        section.add_problem("`check_timeout` needs `check`: the command that it ends.", key="check_timeout")
    if "every" in section and "train" not in section:
        section.add_problem("`every` needs `train`: the command that trains.", key="every")
    # A registry holds no W&B runs, and so no history of moves: the model's own project does.
    if "/wandb-registry-" in section.get("artifact", "") and (wandb is None or not wandb.project):
        message = "the releases of a registry need a W&B project for their history, and the model names none."
        section.add_problem(message, "Give `wandb: {entity, project}` too.", key="artifact")
    if section.get("gate") is not None:
        _check_gate(section.get("gate"))
        _check_gate_metric(section.get("gate"), measure)


def _check_gate(section: ParsedSection) -> None:
    for name in ("holdout", "recent"):
        if section.get(name) and "{version}" not in section.get(name, ""):
            message = f"`{shorten(section.get(name, ''))}` is the same for every version."
            section.add_problem(message, "Write {version} in place of the version.", key=name)
    if "latency_margin" in section and "latency" not in section:
        section.add_problem("`latency_margin` needs `latency`: the column of the latency.", key="latency_margin")


def _check_gate_metric(gate: ParsedSection, measure: MeasureSpec | None) -> None:
    """The metric is one that two versions can be compared by, and `measure` tells what it is of."""
    metric = gate.get("metric")
    if metric is None:
        return
    own = [name for name, _ in measure.custom] if measure else []
    if metric not in GATE_METRICS and metric not in own:
        hint = did_you_mean(metric, (*GATE_METRICS, *own))
        gate.add_problem(f"`{shorten(metric)}` is not a metric for comparing versions.", hint, key="metric")
    if metric.endswith("_by_value") and (measure is None or not measure.value):
        hint = "Give `measure: {value: ...}`, the column of a row's value."
        gate.add_problem(f"`{metric}` weighs by value, and `measure` names no value column.", hint, key="metric")
    if metric in RANKING_METRICS and (measure is None or measure.ranking is None):
        hint = "Give `measure: {ranking: {query: ...}}`, the column that names the list of a row."
        gate.add_problem(f"`{metric}` is for ranked lists, and `measure` names none.", hint, key="metric")
