"""A summary of GitHub's REST description: what we send and read, and nothing else.

``python -m tests.testing.standins.github_contract FILE`` compares it with GitHub's own description (OpenAPI, as
github/rest-api-description publishes it).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from modelwatch.testing.standins.http import Request, Response

Shape = Any
"""A JSON type (with ``?``: or null), a list with the shape of its items, or an object: the shape of each field by its
name. A field with ``?`` after its name can be absent."""

USER = {"login": "string", "type": "string"}
LABEL = {"name": "string", "color": "string"}
ISSUE = {
    "number": "integer", "html_url": "string", "title": "string", "body?": "string?", "state": "string",
    "state_reason?": "string?", "user": USER, "labels": [{"name?": "string"}], "assignees?": [{"login": "string"}],
    "comments": "integer", "created_at": "string", "updated_at": "string", "closed_at": "string?", "locked": "boolean",
}  # fmt: skip
COMMENT = {
    "id": "integer", "html_url": "string", "body?": "string", "user": USER, "created_at": "string",
    "updated_at": "string",
}  # fmt: skip
RUN = {
    "id": "integer", "html_url": "string", "name?": "string?", "display_title": "string", "status": "string?",
    "conclusion": "string?", "created_at": "string", "updated_at": "string", "run_attempt?": "integer",
}  # fmt: skip
RUNS = {"total_count": "integer", "workflow_runs": [RUN]}
REPOSITORY = {"full_name": "string", "default_branch": "string", "private": "boolean"}
PULL = {"html_url": "string", "state": "string", "head": {"ref": "string"}}
REFERENCE = {"ref": "string", "object": {"sha": "string"}}
FILE = {"content": "string", "encoding": "string", "sha": "string", "type": "string"}
COMMIT = {
    "sha": "string", "html_url": "string", "author": USER,
    "commit": {"message": "string", "author": {"name?": "string"}, "committer": {"date?": "string"}},
}  # fmt: skip
DEPLOYMENT = {
    "ref": "string", "environment": "string", "description": "string?", "created_at": "string", "creator": USER,
    "repository_url": "string",
}  # fmt: skip
PAGES = ("per_page", "page")
FILTERS = ("labels", "state", "sort", "direction", "since", *PAGES)


@dataclass(frozen=True)
class Operation:
    """What one method of one path takes and answers."""

    query: tuple[str, ...] = ()
    body: Shape = None
    answers: Mapping[int, Shape] = field(default_factory=dict)


REPO = "/repos/{owner}/{repo}"
OPERATIONS = {
    f"GET {REPO}": Operation(answers={200: REPOSITORY}),
    f"GET {REPO}/issues": Operation(FILTERS, answers={200: [ISSUE]}),
    f"POST {REPO}/issues": Operation(
        body={"title": "string", "body?": "string", "labels?": ["string"], "assignees?": ["string"]},
        answers={201: ISSUE},
    ),
    f"GET {REPO}/issues/{{issue_number}}": Operation(answers={200: ISSUE}),
    f"PATCH {REPO}/issues/{{issue_number}}": Operation(
        body={
            "title?": "string",
            "body?": "string?",
            "state?": "string",
            "state_reason?": "string?",
            "labels?": ["string"],
        },
        answers={200: ISSUE},
    ),
    f"POST {REPO}/issues/{{issue_number}}/assignees": Operation(body={"assignees?": ["string"]}, answers={201: ISSUE}),
    f"POST {REPO}/issues/{{issue_number}}/labels": Operation(body={"labels?": ["string"]}, answers={200: [LABEL]}),
    f"POST {REPO}/labels": Operation(
        body={"name": "string", "color?": "string", "description?": "string"}, answers={201: LABEL}
    ),
    f"GET {REPO}/issues/{{issue_number}}/comments": Operation(("since", *PAGES), answers={200: [COMMENT]}),
    f"POST {REPO}/issues/{{issue_number}}/comments": Operation(body={"body": "string"}, answers={201: COMMENT}),
    f"GET {REPO}/issues/comments/{{comment_id}}": Operation(answers={200: COMMENT}),
    f"PATCH {REPO}/issues/comments/{{comment_id}}": Operation(body={"body": "string"}, answers={200: COMMENT}),
    f"DELETE {REPO}/issues/comments/{{comment_id}}": Operation(answers={204: None}),
    f"POST {REPO}/dispatches": Operation(
        body={"event_type": "string", "client_payload?": "object"}, answers={204: None}
    ),
    f"POST {REPO}/actions/workflows/{{workflow_id}}/dispatches": Operation(
        body={"ref": "string", "inputs?": "object", "return_run_details?": "boolean"},
        answers={200: {"workflow_run_id": "integer", "run_url": "string", "html_url": "string"}, 204: None},
    ),
    f"GET {REPO}/actions/workflows/{{workflow_id}}/runs": Operation(("event", "created", *PAGES), answers={200: RUNS}),
    f"GET {REPO}/actions/runs": Operation(("event", "created", *PAGES), answers={200: RUNS}),
    f"GET {REPO}/actions/runs/{{run_id}}": Operation(answers={200: RUN}),
    f"GET {REPO}/contents/{{path}}": Operation(("ref",), answers={200: FILE}),
    f"PUT {REPO}/contents/{{path}}": Operation(
        body={"message": "string", "content": "string", "sha?": "string", "branch?": "string"},
        answers={200: {"content": {"path?": "string"}}, 201: {"content": {"path?": "string"}}},
    ),
    f"GET {REPO}/git/ref/{{ref}}": Operation(answers={200: REFERENCE}),
    f"POST {REPO}/git/refs": Operation(body={"ref": "string", "sha": "string"}, answers={201: REFERENCE}),
    f"GET {REPO}/pulls": Operation(("state", "head", *PAGES), answers={200: [PULL]}),
    f"POST {REPO}/pulls": Operation(
        body={"title?": "string", "head": "string", "base": "string", "body?": "string"}, answers={201: PULL}
    ),
    f"GET {REPO}/commits": Operation(("since", "until", "path", *PAGES), answers={200: [COMMIT]}),
    f"GET {REPO}/deployments": Operation(PAGES, answers={200: [DEPLOYMENT]}),
    "GET /orgs/{org}/teams/{team_slug}/members": Operation(PAGES, answers={200: [USER]}),
    "GET /user": Operation(answers={200: {"login": "string"}}),
}


def schema(shape: Shape, *, closed: bool = False) -> dict[str, Any]:
    """JSON Schema; ``closed``: no other fields than these."""
    if isinstance(shape, str):
        kind = shape.removesuffix("?")
        return {"type": [kind, "null"] if shape.endswith("?") else kind}
    if isinstance(shape, list):
        return {"type": "array", "items": schema(shape[0], closed=closed)}
    required = [name for name in shape if not name.endswith("?")]
    properties = {name.removesuffix("?"): schema(part, closed=closed) for name, part in shape.items()}
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": not closed}


@cache
def patterns() -> list[tuple[str, re.Pattern[str]]]:
    """Each operation with what its method and path look like; those with fewer variables first."""
    names = sorted(OPERATIONS, key=lambda name: name.count("{"))
    within = {"path": ".+", "ref": ".+"}
    return [(name, re.compile(re.sub(r"\{(\w+)\}", lambda part: within.get(part[1], "[^/]+"), name))) for name in names]


def check(request: Request, response: Response) -> tuple[str, list[str]]:
    """The operation, and everything about the request and its answer that is not as described."""
    asked = f"{request.method} {request.path}"
    name = next((name for name, pattern in patterns() if pattern.fullmatch(asked)), "")
    if not name:
        return "", [f"{asked} is not described"]
    operation, problems = OPERATIONS[name], []
    problems += [f"{name}: unknown parameter {key}" for key in request.query if key not in operation.query]
    body = json.loads(request.body) if request.body else None
    if operation.body is not None:
        problems += _violations(f"{name}: body", operation.body, body, closed=True)
    elif body is not None:
        problems.append(f"{name}: takes no body")
    if response.status >= 400:
        return name, problems
    if response.status not in operation.answers:
        return name, [*problems, f"{name}: answers no {response.status}"]
    shape = operation.answers[response.status]
    if shape is None:
        problems += [f"{name}: {response.status} has no body"] if response.body else []
    else:
        problems += _violations(f"{name}: answer", shape, json.loads(response.body))
    return name, problems


def _violations(what: str, shape: Shape, value: Any, *, closed: bool = False) -> list[str]:
    errors = Draft202012Validator(schema(shape, closed=closed)).iter_errors(value)
    return [f"{what}: {error.json_path} {error.message[:200]}" for error in errors]


def resolve(document: dict[str, Any], node: Any) -> Any:
    while isinstance(node, dict) and "$ref" in node:
        path = node["$ref"].removeprefix("#/").split("/")
        node = document
        for part in path:
            node = node[part]
    return node


def differences(document: dict[str, Any], where: str, shape: Shape, described: Any, *, sent: bool) -> list[str]:
    """Where the summary promises more than the description: of what is ``sent``, what may not be sent; of what is
    answered, what need not be there."""
    node = resolve(document, described)
    options = node.get("oneOf") or node.get("anyOf") or node.get("allOf")
    if options:
        found = [differences(document, where, shape, option, sent=sent) for option in options]
        return min(found, key=len)
    if isinstance(shape, str):
        kind, nullable = node.get("type"), node.get("nullable", False)
        wanted = shape.removesuffix("?")
        problems = [] if kind in (wanted, None) else [f"{where}: {kind}, not {wanted}"]
        return problems if sent or shape.endswith("?") or not nullable else [*problems, f"{where} can be null"]
    if isinstance(shape, list):
        if node.get("type") != "array":
            return [f"{where}: {node.get('type')}, not an array"]
        return differences(document, f"{where}[]", shape[0], node["items"], sent=sent)
    if node.get("type") != "object":
        return [f"{where}: {node.get('type')}, not an object"]
    problems, names = [], {name.removesuffix("?") for name in shape}
    required, properties = set(node.get("required", ())), node.get("properties", {})
    for name, part in shape.items():
        plain = name.removesuffix("?")
        if plain not in properties:
            problems.append(f"{where}.{plain} is not described")
            continue
        if not sent and not name.endswith("?") and plain not in required:
            problems.append(f"{where}.{plain} can be absent")
        problems += differences(document, f"{where}.{plain}", part, properties[plain], sent=sent)
    return problems + [f"{where}.{name} is required" for name in sorted(required - names) if sent]


def compare(document: dict[str, Any]) -> tuple[int, list[str]]:
    """How many operations of the summary the description has, and where the summary promises what GitHub does not."""
    problems, compared = [], 0
    for name, operation in OPERATIONS.items():
        method, _, path = name.partition(" ")
        described = document["paths"].get(path, {}).get(method.lower())
        if described is None:
            continue  # the description may be a part
        compared += 1
        parameters = [resolve(document, parameter) for parameter in described.get("parameters", ())]
        known = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
        problems += [f"{name}: no parameter {query}" for query in operation.query if query not in known]
        body = resolve(document, described.get("requestBody", {})).get("content", {}).get("application/json")
        if operation.body:
            problems += differences(document, f"{name}: body", operation.body, body["schema"], sent=True)
        for status, shape in operation.answers.items():
            answer = resolve(document, described["responses"].get(str(status)))
            content = (answer or {}).get("content", {}).get("application/json")
            if answer is None or (content is None) != (shape is None):
                problems.append(f"{name}: {status} is described otherwise")
            elif content is not None:
                problems += differences(document, f"{name}: {status}", shape, content["schema"], sent=False)
    return compared, problems


if __name__ == "__main__":
    count, found = compare(json.loads(Path(sys.argv[1]).read_text()))
    print("\n".join([*found, f"{count} of {len(OPERATIONS)} operations compared, {len(found)} differences"]))
    sys.exit(bool(found))
