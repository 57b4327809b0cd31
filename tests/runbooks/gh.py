"""GitHub's command line on the stand-in: the few commands that the runbooks use, as a person runs them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.cli.world import REPOSITORY, Ran, World

MONITOR = "modelwatch.yml"


@dataclass
class Gh:
    """What ``alice`` does; secrets are kept here, as the stand-in has none."""

    world: World
    token: str
    secrets: list[str] = field(default_factory=list)

    def __call__(self, *argv: str) -> Ran:
        noun, verb, *rest = argv
        plain = [word for place, word in enumerate(rest) if not word.startswith("-") and not _is_value(rest, place)]
        given = {rest[place]: rest[place + 1] for place in range(len(rest) - 1) if _is_value(rest, place + 1)}
        try:
            command: Callable[..., Ran] = getattr(self, f"{noun}_{verb}")
            return command(*plain, rest=rest, given=given)
        except HTTPError as error:
            return Ran(1, "", f"HTTP {error.code}: {error.read().decode()}")

    # --- issues

    def issue_view(self, number: str, *, rest: list[str], given: Any) -> Ran:
        issue = self._api(f"issues/{number}")
        said = [issue["title"], issue["body"]]
        if "--comments" in rest:
            said += [comment["body"] for comment in self._api(f"issues/{number}/comments")]
        return Ran(0, "\n".join(said), "")

    def issue_list(self, *, rest: Any, given: dict[str, str]) -> Ran:
        found = self._api(f"issues?labels={given.get('--label', '')}&state={given.get('--state', 'open')}")
        return Ran(0, "\n".join(f"{issue['number']}\t{issue['title']}" for issue in found), "")

    def issue_comment(self, number: str, *, rest: Any, given: dict[str, str]) -> Ran:
        self._api(f"issues/{number}/comments", "POST", {"body": given["--body"]})
        return Ran(0, "", "")

    def issue_close(self, number: str, *, rest: Any, given: dict[str, str]) -> Ran:
        reason = given.get("--reason", "completed").replace(" ", "_")
        self._api(f"issues/{number}", "PATCH", {"state": "closed", "state_reason": reason})
        return Ran(0, "", "")

    # --- workflow runs

    def run_list(self, *, rest: Any, given: dict[str, str]) -> Ran:
        where = f"workflows/{given['--workflow']}/runs" if "--workflow" in given else "runs"
        found = self._api(f"actions/{where}?per_page={given.get('--limit', '20')}")["workflow_runs"]
        rows = [f"{run['status']}\t{run['conclusion']}\t{run['display_title']}\t{run['id']}" for run in found]
        return Ran(0, "\n".join(rows), "")

    def run_view(self, number: str, *, rest: Any, given: Any) -> Ran:
        run = self._api(f"actions/runs/{number}")
        return Ran(0, f"{run['display_title']} {run['status']} {run['conclusion']}", "")

    def run_cancel(self, number: str, *, rest: Any, given: Any) -> Ran:
        self._api(f"actions/runs/{number}/cancel", "POST")
        return Ran(0, "", "")

    def run_rerun(self, number: str, *, rest: Any, given: Any) -> Ran:
        """The stand-in cannot run one again; that it may be is what is looked at."""
        run = self._api(f"actions/runs/{number}")
        over = run["status"] == "completed" and run["conclusion"] != "success"
        return Ran(0 if over else 1, "", "" if over else "there is nothing to run again")

    # --- workflows and secrets

    def workflow_list(self, *, rest: Any, given: Any) -> Ran:
        found = self._api("actions/workflows")["workflows"]
        return Ran(0, "\n".join(f"{one['name']}\t{one['state']}\t{one['path']}" for one in found), "")

    def workflow_enable(self, file: str, *, rest: Any, given: Any) -> Ran:
        self._api(f"actions/workflows/{file}/enable", "PUT")
        return Ran(0, "", "")

    def workflow_disable(self, file: str, *, rest: Any, given: Any) -> Ran:
        self._api(f"actions/workflows/{file}/disable", "PUT")
        return Ran(0, "", "")

    def workflow_run(self, file: str, *, rest: list[str], given: Any) -> Ran:
        pairs = (rest[place + 1] for place, word in enumerate(rest) if word == "-f")
        inputs = dict(pair.partition("=")[::2] for pair in pairs)
        if file == MONITOR:  # what it does is an evaluation, and that is ours
            return self.world.run("run", *(["--dry-run"] if inputs.get("dry-run") == "true" else []))
        self.dispatch(file, inputs)
        return Ran(0, "", "")

    def dispatch(self, file: str, inputs: dict[str, str]) -> None:
        self._api(f"actions/workflows/{file}/dispatches", "POST", {"ref": "main", "inputs": inputs})

    def secret_list(self, *, rest: Any, given: Any) -> Ran:
        return Ran(0, "\n".join(self.secrets), "")

    def secret_set(self, name: str, *, rest: Any, given: Any) -> Ran:
        """The access is repaired."""
        self.secrets.append(name)
        self.world.pagerduty.clear()
        return Ran(0, "", "")

    def _api(self, path: str, method: str = "GET", body: Any = None) -> Any:
        url = f"{os.environ['GITHUB_API_URL']}/repos/{REPOSITORY}/{path}"
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}", "User-Agent": "gh", "Content-Type": "application/json"}
        with urlopen(Request(url, data, headers, method=method), timeout=20) as answer:
            return json.loads(answer.read() or b"null")


_FLAGS = frozenset({"--comments", "--failed", "--log", "--log-failed"})


def _is_value(words: list[str], place: int) -> bool:
    return place > 0 and words[place - 1].startswith("-") and words[place - 1] not in _FLAGS
