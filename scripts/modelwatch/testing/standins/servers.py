"""All three stand-ins at once, with something in them to begin with and control requests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .github import GitHubStandIn
from .github.act_executor import ActExecutor
from .http import Request, Response, Server
from .pagerduty import PagerDutyStandIn
from .pagerduty.webhooks import IncidentAnnouncer, WebhookSender
from .seed import seed_wandb
from .wandb import WandbStandIn, WandbState

WANDB_KEY = "standin" * 6
"""Without a dash: the client takes what stands before one for a prefix, and counts the rest."""
ENTITY, REPOSITORY, SERVICE = "acme", "acme/churn-model", "churn-model"
WEBHOOK = "start modelwatch"
"""The webhook of the team in W&B, which starts workflows of the repository."""
PERSON = "ada"
"""Who may write to the repository."""
USER, SCHEDULE = "oncall@example.com", "Primary"
ANNOUNCE_SECONDS = 0.2
"""How often incidents are searched for something new to send."""


class WorktreeGitHub(GitHubStandIn):
    """A GitHub whose repository has the workflows of a folder as they are there: written is pushed."""

    def __init__(self, worktree: Path | None) -> None:
        super().__init__()
        self.worktree = worktree
        self._pushed: dict[str, str] = {}

    def handle(self, request: Request) -> Response:
        with self.state.lock:
            repo = self.state.repos.get(REPOSITORY)
            if repo is not None and self.worktree is not None:
                for path, text in read_workflows(self.worktree).items():
                    if self._pushed.get(path) != text:
                        self._pushed[path] = text
                        self.state.add_file(repo, path, text)
        return super().handle(request)


@contextmanager
def serve_all(
    wandb_port: int = 0,
    github_port: int = 0,
    pagerduty_port: int = 0,
    worktree: Path | None = None,
    *,
    act: Path | None = None,
    webhook_url: str = "",
    webhook_secret: str = "",
    seed_until: float | None = None,
) -> Iterator[dict[str, str]]:
    """Serve on loopback until the block ends (port 0: a free one); gives the variables that lead the clients there.

    W&B has the entity ``acme`` and a webhook that starts workflows, GitHub the repository ``acme/churn-model`` with
    the workflows of ``worktree`` and the collaborator ``ada``, PagerDuty the service ``churn-model``, the user
    ``oncall@example.com`` and the schedule ``Primary``. Each server takes control requests: POST and DELETE
    /_standin/faults, GET /_standin/requests, GET /_standin/state and POST /_standin/reset. With ``act``, that program
    runs dispatched workflows in ``worktree``; with ``webhook_url``, PagerDuty's webhooks go there, signed with
    ``webhook_secret``. With ``seed_until`` (seconds, UTC), W&B has a project with history up to then, see ``seed.py``.
    OSError where a port is taken.
    """
    with ExitStack() as stack:
        wandb = stack.enter_context(Server(WandbStandIn(WandbState((ENTITY,), (WANDB_KEY,))), wandb_port, control=True))
        simulated: GitHubStandIn = WorktreeGitHub(worktree)
        github = stack.enter_context(Server(simulated, github_port, control=True))
        pagerduty = stack.enter_context(Server(PagerDutyStandIn(), pagerduty_port, control=True))
        if seed_until is not None:
            seed_wandb(wandb.standin.state, ENTITY, seed_until)
        github.standin.state.add_repo(REPOSITORY, collaborators={PERSON: "write"})
        dispatcher = github.standin.state.add_token(permissions={"contents": "write", "metadata": "read"})
        wandb.standin.state.add_webhook(ENTITY, WEBHOOK, f"{github.url}/repos/{REPOSITORY}/dispatches", dispatcher)
        service = pagerduty.standin.state.add_service(SERVICE)
        pagerduty.standin.state.add_user(USER)
        pagerduty.standin.state.add_schedule(SCHEDULE)
        secrets = {
            "WANDB_API_KEY": WANDB_KEY,
            "GITHUB_TOKEN": github.standin.state.add_token(),
            "PAGERDUTY_ROUTING_KEY": service.routing_key,
            "PAGERDUTY_TOKEN": pagerduty.standin.state.add_token(read_only=True),
            "PAGERDUTY_WRITE_TOKEN": pagerduty.standin.state.add_token(),
        }
        variables = {
            **client_urls(wandb, github, pagerduty),
            "WANDB_ENTITY": ENTITY,
            "WANDB_ERROR_REPORTING": "false",
            "GITHUB_REPOSITORY": REPOSITORY,
        }
        if act is not None:
            executor = ActExecutor((worktree or Path()).resolve(), act.resolve(), variables, secrets)
            stack.callback(executor.close)
            github.standin.state.executor = executor
        if webhook_url:
            sender = stack.enter_context(WebhookSender(lambda: webhook_url, [webhook_secret]))
            announcer = IncidentAnnouncer(pagerduty.standin.state, pagerduty.url, sender)
            stack.enter_context(_announcing(announcer))
        yield variables | secrets


def client_urls(
    wandb: Server[WandbStandIn], github: Server[GitHubStandIn], pagerduty: Server[PagerDutyStandIn]
) -> dict[str, str]:
    """The variables that tell the clients where the servers are."""
    return {
        "WANDB_BASE_URL": wandb.url,
        "GITHUB_API_URL": github.url,
        "PAGERDUTY_EVENTS_URL": pagerduty.url,
        "PAGERDUTY_API_URL": pagerduty.url,
    }


@contextmanager
def _announcing(announcer: IncidentAnnouncer) -> Iterator[None]:
    """Send what is new in incidents until the block ends."""
    stopped = threading.Event()

    def announce() -> None:
        while not stopped.wait(ANNOUNCE_SECONDS):
            announcer.send_new_entries()

    thread = threading.Thread(target=announce, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def read_workflows(folder: Path) -> dict[str, str]:
    """The workflows of a repository on disk, by their path in it."""
    paths = sorted((folder / ".github" / "workflows").glob("*.y*ml"))
    return {f".github/workflows/{path.name}": path.read_text("utf-8", "replace") for path in paths}
