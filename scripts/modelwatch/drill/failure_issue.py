"""The issue about a broken chain: one a model, opened or updated by a failed drill, and closed by one that passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..clients.github import GitHubClient, github_api_url, github_retry_policy, github_token, repository_path
from ..clients.redaction import Redactor
from ..model.drill import DRILL_PREFIX, DrillReport
from ..model.monitored_model import Model
from ..report.drill import drill_markdown, verdict
from ..report.markdown import plain_line
from ..targets.register.codec import MAX_BODY, truncate

LABEL = "modelwatch-drill-failed"
ISSUES = "issues: write"


def report_failure(model: Model, reports: Sequence[DrillReport], env: Mapping[str, str], redactor: Redactor) -> str:
    """Open, update or close the issue, without secrets; returns its address, empty where there is none. Raises
    ServiceError."""
    repository = model.github.repository
    url, retry = github_api_url(env, model.github.api_url), github_retry_policy(env)
    github = GitHubClient(url, github_token(env), retry, redactor=redactor)
    path = f"{repository_path(repository)}/issues"
    marker = f"<!-- modelwatch:drill-failed {model.name} -->"
    query = {"labels": LABEL, "state": "open"}
    pages = github.paginate(path, f"list the issues of {repository}", query, permission="issues: read")
    rows = [row for row in next(pages) if marker in str(row.get("body"))]
    failed = [report for report in reports if not report.passed]
    if not failed:
        for row in rows:
            body = {"state": "closed", "state_reason": "completed"}
            github.write("PATCH", f"{path}/{row['number']}", "close the issue", body, permission=ISSUES)
        return ""
    first = f"{failed[0].scenario}: {verdict(failed[0])}"
    more = f" And {len(failed) - 1} more." if len(failed) > 1 else ""
    fields = {
        "title": plain_line(f"{DRILL_PREFIX} {model.name}: {first}{more}"),
        "body": f"{truncate(drill_markdown(failed), MAX_BODY - 500)}\n\n{marker}",
        "labels": [LABEL],
    }
    if rows:
        answer = github.write("PATCH", f"{path}/{rows[0]['number']}", "update the issue", fields, permission=ISSUES)
    else:
        answer = github.write("POST", path, f"open an issue in {repository}", fields, permission=ISSUES)
    return str(github.require_object(answer, "write the issue", "html_url")["html_url"])
