"""All three stand-ins at once, with something in them to begin with and control requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .http import Server

WANDB_KEY = "standin" * 6
"""Without a dash: the client takes what stands before one for a prefix, and counts the rest."""
ENTITY, REPOSITORY, SERVICE = "acme", "acme/churn-model", "churn-model"
USER, SCHEDULE = "oncall@example.com", "Primary"


@contextmanager
def serve_all(
    wandb_port: int = 0, github_port: int = 0, pagerduty_port: int = 0, worktree: Path | None = None
) -> Iterator[dict[str, str]]:
    """Serve on loopback until the block ends (port 0: a free one); gives the variables that lead the clients there.

    W&B has the entity ``acme``, GitHub the repository ``acme/churn-model`` with the workflows of ``worktree``,
    PagerDuty the service ``churn-model``, the user ``oncall@example.com`` and the schedule ``Primary``. Each server
    takes control requests: POST and DELETE /_standin/faults, GET /_standin/requests, GET /_standin/state and POST
    /_standin/reset. OSError where a port is taken.
    """
    from .github import GitHubStandIn
    from .pagerduty import PagerDutyStandIn
    from .wandb import WandbStandIn, WandbState

    with ExitStack() as stack:
        wandb = stack.enter_context(Server(WandbStandIn(WandbState((ENTITY,), (WANDB_KEY,))), wandb_port, control=True))
        github = stack.enter_context(Server(GitHubStandIn(), github_port, control=True))
        pagerduty = stack.enter_context(Server(PagerDutyStandIn(), pagerduty_port, control=True))
        github.standin.state.add_repo(REPOSITORY, files=_read_workflows(worktree) if worktree else None)
        service = pagerduty.standin.state.add_service(SERVICE)
        pagerduty.standin.state.add_user(USER)
        pagerduty.standin.state.add_schedule(SCHEDULE)
        yield {
            "WANDB_BASE_URL": wandb.url,
            "WANDB_API_KEY": WANDB_KEY,
            "WANDB_ENTITY": ENTITY,
            "WANDB_ERROR_REPORTING": "false",
            "GITHUB_API_URL": github.url,
            "GITHUB_TOKEN": github.standin.state.add_token(),
            "GITHUB_REPOSITORY": REPOSITORY,
            "PAGERDUTY_EVENTS_URL": pagerduty.url,
            "PAGERDUTY_API_URL": pagerduty.url,
            "PAGERDUTY_ROUTING_KEY": service.routing_key,
            "PAGERDUTY_TOKEN": pagerduty.standin.state.add_token(read_only=True),
            "PAGERDUTY_WRITE_TOKEN": pagerduty.standin.state.add_token(),
        }


def _read_workflows(folder: Path) -> dict[str, str]:
    found = sorted((folder / ".github" / "workflows").glob("*.y*ml"))
    return {f".github/workflows/{path.name}": path.read_text("utf-8", "replace") for path in found}
