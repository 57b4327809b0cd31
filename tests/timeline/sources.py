"""Stories of data that stop, of a source that cannot be read, and of values that cannot be true."""

from __future__ import annotations

from .stories import story
from .timeline import HEALTHY, Timeline, model_config


@story()
def data_stops(time: Timeline) -> None:
    """The metric is no longer logged: told after two usual gaps, and never HEALTHY"""
    time.configure(model_config())
    time.until(2)
    time.data(accuracy=None)
    time.until(4)
    time.expect(woken=0, verdict="^(?!HEALTHY)")
    time.until(6)
    time.expect(woken=0, issues=1, title="cannot be judged", step="check the job that logs")


@story()
def data_stops_at_night(time: Timeline) -> None:
    """The metric is no longer logged, and `silent` pages: one person is notified, until it is logged again"""
    time.configure(model_config(more="    silent: {severity: error, do: [issue, page]}\n"))
    time.until(2)
    time.data(accuracy=None)
    time.until(8)
    time.expect(woken=1, page="^error .*accuracy cannot be judged", issues=1)
    time.data(accuracy=HEALTHY)
    time.until(12)
    time.expect(woken=0, issues=0, open_incidents=0, verdict="^HEALTHY")


@story()
def wandb_down(time: Timeline) -> None:
    """W&B is down for twelve hours: two models, one issue at once, one page after two hours, until it answers again"""
    time.configure(model_config(), model_config("fraud"))
    time.until(2)
    time.down("wandb", 401)
    time.until(3)
    time.expect(woken=0, issues=1, title=r"^\[warning\] churn: W&B at \S+ cannot be read", verdict="^UNKNOWN")
    time.until(4)
    time.expect(woken=0)
    time.until(5)
    time.expect(woken=1, page=r"^error .*W&B at \S+ cannot be read: 2 models are not judged", urgency="high")
    time.until(14)
    time.expect(woken=0, issues=1, title=r"^\[error\]", step="HTTP 401.*nothing is judged", says="fraud: ")
    time.expect(issues=0, model="fraud")
    time.up("wandb")
    time.until(15)
    time.expect(woken=0, issues=0, open_incidents=0, title="recovered", verdict="^HEALTHY")


@story(causes=0)
def wandb_fails_once(time: Timeline) -> None:
    """W&B fails once and answers two minutes later: neither an issue nor a page"""
    time.configure(model_config())
    time.until(2)
    time.down("wandb", 503, times=5)  # as many requests as one look makes, and one more
    time.until(3)
    time.expect(woken=0, issues=0, verdict="^HEALTHY", summary="^(?!.*could not be read)")


@story(causes=0)
def project_not_found(time: Timeline) -> None:
    """The configuration names a project that W&B does not have: an issue that says what to correct, and no page"""
    time.configure(model_config("churn"), model_config("fraud", project="frod"))
    time.until(6)
    time.expect(woken=0, issues=0, model="churn")
    time.expect(verdict="^UNKNOWN .*fraud")
    time.expect(issues=1, model="fraud", title=r"^\[warning\] fraud: acme/frod-prod is not found")
    time.expect(model="fraud", step="Correct the configuration.*there is no project", labels="severity:warning")


@story(causes=0)
def wandb_down_for_a_moment(time: Timeline) -> None:
    """One evaluation in which W&B refuses the key: an issue that closes itself, and no page"""
    time.configure(model_config())
    time.until(2)
    for _ in range(2):
        time.down("wandb", 401)
        time.until(time.hour + 1)
        time.expect(woken=0, issues=1)
        time.up("wandb")
        time.until(time.hour + 2)
    time.expect(woken=0, open_incidents=0, verdict="^HEALTHY")


@story(causes=0)
def key_missing(time: Timeline) -> None:
    """The evaluator has no key for W&B: its own failure, which pages nobody"""
    time.configure(model_config())
    time.until(2)
    with time.without("WANDB_API_KEY"):
        time.until(8)
    time.expect(woken=0, issues=0)


@story()
def perfect_metric(time: Timeline) -> None:
    """Exactly 1.0 for twelve hours, from 0.92: a leak is a finding"""
    time.configure(model_config())
    time.until(2)
    time.data(accuracy=1.0)
    time.until(15)
    time.expect(issues=1, woken=0, title=r"^\[warning\] churn: accuracy is implausible", step="leak", verdict="perfect")
    time.data(accuracy=HEALTHY)
    time.until(18)
    time.expect(issues=0, woken=0, verdict="^HEALTHY")
