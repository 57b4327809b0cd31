"""GitHub: the token and what it may do, the repository, labels and people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..clients.github import USER_TOKEN_PREFIXES, GitHubClient, github_token, quote_segment, repository_path
from ..context import RunContext
from ..errors import ServiceError, UserError, did_you_mean
from ..model.monitored_model import Model
from .placeholders import EXAMPLE_HINT, is_example
from .setup_check import CheckStatus, SetupCheck, is_outage, report_error, report_ok, report_problem, report_warning

SUBJECT = "GitHub"
REFUSED_AS_INCOMPLETE = (400, 422)
"""The answers to a write that lacks what it needs, from a token that may write."""


@dataclass(frozen=True, slots=True)
class SharedRepository:
    """A repository with the models whose issues or workflows it has."""

    client: GitHubClient
    name: str
    models: tuple[Model, ...]
    is_account: bool = False
    """Whether the token is that of a person's account."""
    in_actions: bool = False
    """Whether it is the token with which a workflow evaluates."""

    @property
    def path(self) -> str:
        return repository_path(self.name)


def shared_repositories(context: RunContext, models: Sequence[Model]) -> list[SharedRepository]:
    """Each repository once."""
    groups: dict[tuple[str, str], list[Model]] = {}
    for model in models:
        if model.github.repository:
            groups.setdefault(context.sessions.repository_key(model.github), []).append(model)
    is_account = github_token(context.env).startswith(USER_TOKEN_PREFIXES)
    in_actions = context.env.get("GITHUB_ACTIONS") == "true"
    repositories = []
    for own in groups.values():
        spec = own[0].github
        client = context.sessions.github(spec, spec.repository)
        repositories.append(SharedRepository(client, spec.repository, tuple(own), is_account, in_actions))
    return repositories


def check_repository(repository: SharedRepository) -> Iterator[SetupCheck]:
    """The token, and what the repository allows; ends with the first problem, which the others would repeat."""
    name, client = repository.name, repository.client
    try:
        facts = client.get(repository.path, f"read {name}", permission="metadata: read")
    except ServiceError as error:
        if error.status == 404:
            hint = "Correct `github: {repository}`, or give the token access to it."
            hint = EXAMPLE_HINT if is_example(name) else hint
            yield report_problem(SUBJECT, f"there is no repository {name}, or the token cannot see it.", hint)
        else:
            yield report_error(SUBJECT, error)
        return
    except UserError as error:
        yield report_error(SUBJECT, error)
        return
    if facts.get("archived"):
        yield report_problem(SUBJECT, f"{name} is archived: nothing can be written there.", "Unarchive it.")
        return
    if facts.get("has_issues") is False:
        yield report_problem(
            SUBJECT, f"issues are switched off in {name}.", "Switch them on: Settings → General → Features."
        )
        return
    moved = str(facts.get("full_name") or name)
    if moved.lower() != name.lower():
        yield report_problem(SUBJECT, f"{name} has moved to {moved}.", f"Write `github: {{repository: {moved}}}`.")
        return
    if repository.is_account and (facts.get("permissions") or {}).get("triage") is False:
        text = f"the token's account may not label issues in {name}, and issues are found by their labels."
        yield report_problem(SUBJECT, text, "Give the account the role `triage` or more.")
        return
    yield report_ok(SUBJECT, f"{name} can be read")


def check_issues(repository: SharedRepository) -> Iterator[SetupCheck]:
    """Whether the token may write issues, and their labels."""
    name = repository.name
    check = _check_write(repository.client, f"{repository.path}/issues", "issues: write", f"open issues in {name}")
    yield check
    if check.status is CheckStatus.OK:
        yield from _check_labels(repository)
    yield from _check_authors(repository)


def _check_authors(repository: SharedRepository) -> Iterator[SetupCheck]:
    """Only the issues of `authors` are trusted: the account that evaluates must be one of them."""
    for model in repository.models:
        authors = model.github.authors
        login = repository.client.login() if authors else ""
        if authors and login.lower() not in {author.lower() for author in authors}:
            text = f"the token writes as {login}, whose issues are not trusted (`authors: [{', '.join(authors)}]`)."
            # On somebody's machine it matters for `modelwatch run` alone, which need not be called there.
            report = report_problem if repository.in_actions else report_warning
            yield report(SUBJECT, text, f"Add {login} to `github: {{authors}}`.", model=model.name)


def check_events(repository: SharedRepository) -> Iterator[SetupCheck]:
    """Whether the token may send events, to other repositories, too."""
    name = repository.name
    others = {
        workflow.repository or name
        for model in repository.models
        for workflow in model.workflows
        if workflow.event_type
    }
    for other in sorted(others):
        path = f"{repository_path(other)}/dispatches"
        yield _check_write(repository.client, path, "contents: write", f"send repository_dispatch to {other}")


def _check_write(client: GitHubClient, path: str, permission: str, action: str) -> SetupCheck:
    error = write_refusal(client, path, permission, action)
    return report_ok(SUBJECT, f"the token may {action}") if error is None else _denial(error, permission, action)


def write_refusal(client: GitHubClient, path: str, permission: str, action: str) -> ServiceError | None:
    """Why the token may not write at ``path``; ``None`` where it may. It is asked with a request that lacks what GitHub
    needs, and so can change nothing: GitHub answers 403 or 404 where the token may not write."""
    try:
        client.write("POST", path, action, {}, permission=permission)
    except ServiceError as error:
        return None if error.status in REFUSED_AS_INCOMPLETE else error
    return None


def _denial(error: ServiceError, permission: str, action: str) -> SetupCheck:
    if is_outage(error) or error.status not in (403, 404):
        return report_error(SUBJECT, error)
    hint = f"It needs `{permission}` (in a workflow: under `permissions:`)."
    return report_problem(SUBJECT, f"the token may not {action}.", hint)


def _check_labels(repository: SharedRepository) -> Iterator[SetupCheck]:
    """Labels that the repository lacks are made with the first issue; one that is nearly there is a mistake."""
    pages = repository.client.paginate(
        f"{repository.path}/labels", f"list the labels of {repository.name}", {}, permission="issues: read"
    )
    existing = {str(row.get("name") or "").lower(): str(row.get("name") or "") for page in pages for row in page}
    wanted = dict.fromkeys(label for model in repository.models for label in model.github.labels)
    new = []
    for label in wanted:
        near = did_you_mean(label.lower(), existing.keys() - {name.lower() for name in wanted}, "")
        if label.lower() in existing:
            continue
        if near:
            yield report_warning("label", f"{repository.name} has no label {label!r}: it will be made.", near)
        else:
            new.append(label)
    if wanted:
        text = f"labels {', '.join(wanted)}"
        yield report_ok("label", f"{text}; the first issue makes {', '.join(new)}" if new else f"{text} exist")


def check_people(repository: SharedRepository) -> Iterator[SetupCheck]:
    """Do approvers, assignees and the owner exist, and can they see the issues?"""
    client, known = repository.client, dict[str, SetupCheck | None]()
    for model in repository.models:
        people = [(login, "people") for login in model.github.people]
        people += [(login, "assignees") for login in model.github.assignees]
        if model.owner.startswith("@") and "/" not in model.owner:  # a team is only mentioned
            people.append((model.owner.removeprefix("@"), "owner"))
        for login, key in people:
            if login and login.lower() not in known:
                known[login.lower()] = _check_account(client, repository, login, key)
    problems = [check for check in known.values() if check is not None]
    yield from problems
    fine = [login for login, check in known.items() if check is None]
    if fine:
        yield report_ok("people", f"{', '.join(fine)} can see the issues of {repository.name}")


def _check_account(client: GitHubClient, repository: SharedRepository, login: str, key: str) -> SetupCheck | None:
    if "/" in login:
        return _check_team(client, login, key)
    path = f"{repository.path}/collaborators/{quote_segment(login)}/permission"
    try:
        answer = client.get(path, f"look up {login}", permission="metadata: read")
    except ServiceError as error:
        if error.status == 404:
            text = f"GitHub has no account {login!r} (`{key}`)."
            return report_problem("people", text, EXAMPLE_HINT if is_example(login) else "Correct the login.")
        if error.status == 403:  # only collaborators may ask, and every workflow's token is one
            text = f"the token may not look up {login} (`{key}`)."
            return report_warning("people", text, "Check the login yourself.")
        return report_error("people", error)
    if answer.get("permission") == "none":
        text = f"{login} (`{key}`) cannot see the issues of {repository.name}."
        return report_problem("people", text, "Invite the account to the repository, or correct the login.")
    return None


def _check_team(client: GitHubClient, team: str, key: str) -> SetupCheck | None:
    """A team can be read only with a permission that no workflow's token has."""
    organisation, _, slug = team.partition("/")
    path = f"/orgs/{quote_segment(organisation)}/teams/{quote_segment(slug)}/members"
    try:
        next(client.paginate(path, f"list the members of @{team}", {}, permission="organization members: read"), None)
    except ServiceError as error:
        if is_outage(error):
            return report_error("people", error)
        text = f"the members of @{team} (`{key}`) cannot be read with this token, so their commands are not accepted."
        return report_warning("people", text, "List logins, or use a token with `organization members: read`.")
    return None
