"""Stories of what has to be so before a version is moved."""

from __future__ import annotations

from modelwatch.cli.release import release as release_commands

from .advice import ROLLED_BACK, workflows
from .stories import story
from .timeline import CRITICAL, ERROR, HEALTHY, RULES, WARNING, Timeline, model_config

BACK = RULES.replace("critical: {drop: 10%, do: [issue, page]}", ROLLED_BACK)
CHECK = '[ "$MODELWATCH_VERSION" != v7 ] || { echo "its cache is cold for 900 requests a second"; exit 1; }'


def with_check(check: str = CHECK) -> str:
    """A model whose rollback waits for approval, and whose versions have to pass ``check`` first."""
    release = f"    release: {{artifact: acme/churn-prod/churn, check: '{check}', deploy: 'true'}}\n"
    return model_config(rules=BACK, more=workflows(rollback="propose") + release)


def break_release(time: Timeline) -> None:
    """v6 was good, v7 was good, and v8 is bad; at hour 33 somebody approves to go back to v7."""
    time.configure(with_check())
    time.publish(9, production="v8")
    time.deploy("v7")
    time.skip_to(30)
    time.deploy("v8")
    time.data(accuracy=CRITICAL)
    time.until(33)
    time.expect(woken=1, step="rollback.* to `v7`", says=r"\| 1 \| `v7`.*\| 2 \| `v6`")
    time.acknowledge()
    time.comment("approve rollback.1")
    time.until(34)
    time.expect(dispatched=("rollback",))


@story()
def version_cannot_carry_the_traffic(time: Timeline) -> None:
    """The version before cannot carry today's traffic: its check refuses it, nothing moves, and a person hears why"""
    break_release(time)
    time.move("rollback")
    time.expect(
        says="`release.check` refused.*v7 failed its check .exit code 1.: its cache is cold.*No version is left"
    )
    time.until(35)
    time.expect(woken=1, page="Rollback.1 ended in failure", step="Find out why the rollback to `v7` failed")
    time.comment("rollback v6")
    time.until(36)
    time.move("rollback")
    time.deploy("v6")
    time.data(accuracy=HEALTHY)
    time.until(41)
    time.expect(woken=0, issues=0, dispatched=("rollback", "rollback"), audit="move rollback: done.*to v6")
    time.expect(review="What helped.*rollback.*to v6", verdict="^HEALTHY")


@story()
def next_version_carries_the_traffic(time: Timeline) -> None:
    """The version before cannot carry today's traffic, and the next one can: it serves, and the issue says so"""
    break_release(time)
    time.move("rollback", "--fallback")
    time.expect(
        says="`release.check` refused.*v7 failed its check .exit code 1.: its cache is cold.*Going back to v6 inst"
    )
    time.deploy("v6")
    time.data(accuracy=HEALTHY)
    time.until(40)
    time.expect(woken=0, issues=0, audit="move rollback: done.*to v6", review="What helped.*rollback.*to v6")


@story()
def fallback_fires_after_a_false_positive(time: Timeline) -> None:
    """v7 is called a false positive and replaced by a fallback that fires, too: neither is healthy, v6 is"""
    time.configure(with_check("true"))
    time.publish(8, production="v7")
    time.deploy("v7")
    time.data(accuracy=ERROR)
    time.until(4)
    time.expect(woken=1)
    time.comment("false-positive")
    time.until(5)
    time.expect(says=r"\| Last healthy \| `v6` \|")
    time.deploy("fallback")
    time.data(accuracy=WARNING)
    time.until(9)
    time.expect(woken=0, title="warning", says=r"\| Last healthy \| `v6` \|.*\| 1 \| `v6`")
    time.expect(verdict=r"version v6 .healthy. → fallback(?!.*config)")
    time.match(r"healthy under today's rules: v6\n.*Done: rollback v6", time.output(release_commands, "rollback"))
