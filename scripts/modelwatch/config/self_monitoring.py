"""``heartbeat:`` and ``watchdog:``, the sections about modelwatch itself."""

from __future__ import annotations

from ..model.self_monitoring import HeartbeatMethod, HeartbeatSpec, WatchdogSpec
from ..timeutil import MINUTE
from .field_types import Enumeration, OptionalSecretText, duration
from .sections import Field, Section
from .vocabulary import REPOSITORY, WORKFLOW_FILE

HEARTBEAT = Section(
    "the heartbeat",
    {
        "url": Field(
            OptionalSecretText(),
            "The https address of a monitor such as healthchecks.io, as `${NAME}`: called by every evaluation that "
            "acts and could do all that it had to.",
            required=True,
        ),
        "failed_url": Field(
            OptionalSecretText(), "Called instead by an evaluation that could not, as `${NAME}`; by default nothing is."
        ),
        "method": Field(Enumeration("`post` or `get`", HeartbeatMethod), "How the monitor is called."),
    },
    "A sign of life to a monitor outside, which alerts you when it stops.",
    dataclass=HeartbeatSpec,
)
WATCHDOG = Section(
    "the watchdog",
    {
        "workflow": Field(
            WORKFLOW_FILE, "The workflow that runs `modelwatch watchdog`, such as `watchdog.yml`.", required=True
        ),
        "every": Field(
            duration(5 * MINUTE), "How often it runs. An issue is opened when it has not succeeded for twice as long."
        ),
        "repository": Field(
            REPOSITORY, "Where it runs; by default GITHUB_REPOSITORY, else the repository of the first model."
        ),
    },
    "The workflow that watches modelwatch: every evaluation looks whether it still runs.",
    dataclass=WatchdogSpec,
)
