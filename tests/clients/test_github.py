"""The GitHub client over HTTP: what is repeated and what never is, errors in words, inputs refused before sending."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from modelwatch.clients.github import (
    ACTIONS_LOGIN,
    GitHubClient,
    github_api_url,
    github_token,
    open_github,
    repository_path,
)
from modelwatch.clients.retry import RetryPolicy
from modelwatch.clients.workflow_dispatch import (
    check_dispatch_payload,
    check_workflow_inputs,
    dispatch_repository,
    dispatch_workflow,
)
from modelwatch.errors import Exit, ServiceError, UserError
from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Request, Response, Server

QUICK = RetryPolicy(max_attempts=4, initial_wait=0.001, max_wait=0.002, timeout=1.0, wait_scale=0.001)
Hub = Server[GitHubStandIn]


def client(server: Hub, token: str = "", prefix: str = "", retry: RetryPolicy = QUICK) -> GitHubClient:
    state = server.standin.state
    if "acme/churn" not in state.repos:
        state.add_repo("acme/churn")
    return GitHubClient(server.url + prefix, token or state.add_token(), retry)


def get(github: GitHubClient) -> dict[str, object]:
    return github.get("/repos/acme/churn", "read acme/churn", permission="metadata: read")


def post(github: GitHubClient) -> object:
    return github.write("POST", "/repos/acme/churn/issues", "open an issue", {"title": "t"}, permission="issues: write")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_get_is_repeated_a_few_times(github_server: Hub, status: int) -> None:
    github = client(github_server)
    fault = github_server.inject(Fault("status", status=status, times=3))
    assert get(github)["full_name"] == "acme/churn"
    assert fault.strike_count == 3
    fault = github_server.inject(Fault("status", status=status, times=-1))
    with pytest.raises(ServiceError) as caught:
        get(client(github_server))
    assert fault.strike_count == 4
    assert caught.value.status == status


@pytest.mark.parametrize("what", ["drop", "reset"])
def test_a_get_survives_a_lost_connection(github_server: Hub, what: str) -> None:
    github = client(github_server)
    github_server.inject(Fault(what, times=2))
    assert get(github)["full_name"] == "acme/churn"


@pytest.mark.parametrize(
    ("what", "status"), [("status", 502), ("status", 429), ("drop", 0), ("reset", 0), ("broken-json", 0)]
)
def test_a_post_is_never_repeated(github_server: Hub, what: str, status: int) -> None:
    """PyGithub's default repeats a POST on 5xx: two issues."""
    github = client(github_server)
    fault = github_server.inject(Fault(what, when="after", status=status, times=-1))
    with pytest.raises(ServiceError) as caught:
        post(github)
    assert fault.strike_count == 1
    assert caught.value.uncertain is (status != 429)
    assert len(github_server.standin.state.repo("acme/churn").issues.items) == 1


@pytest.mark.parametrize("status", [403, 429, 503])
def test_a_long_retry_after_is_not_waited_for_and_no_request_comes_before_it(github_server: Hub, status: int) -> None:
    github = client(github_server)
    fault = github_server.inject(Fault("status", status=status, headers=(("retry-after", "1800"),), times=-1))
    with pytest.raises(ServiceError, match=rf"could not .*{status}") as caught:
        get(github)
    assert fault.strike_count == 1
    assert "1800 s" in caught.value.hint or status == 503


@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_an_answer_that_drips_ends_in_time(github_server: Hub, verb: str) -> None:
    github_server.inject(Fault("drip", seconds=0.05, times=-1))
    github = client(github_server, retry=RetryPolicy(max_attempts=1, timeout=1.0, wait_scale=0.0))
    with pytest.raises(ServiceError, match="no answer in time") as caught:
        get(github) if verb == "GET" else post(github)
    assert caught.value.uncertain is (verb == "POST")
    assert len(github_server.requests) == 1


def test_an_address_of_ipv6_is_reached() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                host = re.search(rb"host: (\S+)", connection.recv(65536), re.IGNORECASE)
                body = json.dumps({"full_name": host[1].decode() if host else ""}).encode()
                head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
                connection.sendall(head.encode() + body)

        threading.Thread(target=answer, daemon=True).start()
        address = f"[::1]:{listener.getsockname()[1]}"
        github = GitHubClient(f"http://{address}", "t" * 40, RetryPolicy(max_attempts=1, timeout=5.0))
        assert get(github)["full_name"] == address


@pytest.mark.parametrize("after", ["soon", "-5", "99999999999999999999"])
def test_a_senseless_retry_after_does_no_harm(github_server: Hub, after: str) -> None:
    github = client(github_server)
    github_server.inject(Fault("status", status=503, headers=(("retry-after", after),), times=1))
    assert get(github)["full_name"] == "acme/churn"


@pytest.mark.parametrize(
    ("status", "body", "headers", "words"),
    [
        (401, '{"message": "Bad credentials"}', (), ("401 Bad credentials", "wrong, expired")),
        (403, '{"message": "Resource not accessible by integration"}', (), ("`issues: write`",)),
        (
            403,
            '{"message": "API rate limit exceeded for installation."}',
            (("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1790000000")),
            ("rate limit", "2026-09-21 14:13:20 UTC"),
        ),
        (403, '{"message": "You have exceeded a secondary rate limit."}', (("retry-after", "60"),), ("wait 60 s",)),
        (404, '{"message": "Not Found"}', (), ("does not exist, or the token cannot see it",)),
        (
            422,
            '{"message": "Validation Failed", "errors": [{"resource": "Issue", "field": "title", "code": "missing"}]}',
            (),
            ("Validation Failed; Issue title missing",),
        ),
        (403, '{"message": "Repository was archived so is read-only."}', (), ("is archived", "unarchive it")),
        (410, '{"message": "Issues are disabled for this repo"}', (), ("switched off",)),
        (500, "<html>oops</html>", (), ("500", "githubstatus.com")),
        (403, "<html>blocked</html>", (), ("403",)),
        (502, '{"message": ', (), ("not the JSON",)),
        (400, "[]", (), ("could not open an issue",)),
        (400, '{"message": 5}', (), ("could not open an issue",)),
        (400, '"text"', (), ("could not open an issue",)),
    ],
)
def test_errors_say_what_and_what_to_do(
    github_server: Hub, status: int, body: str, headers: tuple[tuple[str, str], ...], words: tuple[str, ...]
) -> None:
    github = client(github_server)
    github_server.inject(Fault("status", status=status, body=body, headers=headers, times=-1))
    with pytest.raises(ServiceError) as caught:
        post(github)
    assert caught.value.exit_code is Exit.PARTIAL
    for word in words:
        assert word in str(caught.value)
    assert "open an issue" in str(caught.value)


@pytest.mark.parametrize("body", ["{", "[1", "\xff", "null", "[]", '"x"', "3"])
def test_odd_answers_to_a_get_are_errors_in_words(github_server: Hub, body: str) -> None:
    github = client(github_server)
    github_server.inject(Fault("status", status=200, body=body, times=-1))
    with pytest.raises(ServiceError, match="not the JSON"):
        get(github)


def test_nobody_listens() -> None:
    with pytest.raises(ServiceError, match="connection failed") as caught:
        get(GitHubClient("http://127.0.0.1:9", "token", QUICK))
    assert "failed (Connection refused)" in str(caught.value)


def test_a_server_that_hangs(github_server: Hub) -> None:
    github = client(github_server)
    github_server.inject(Fault("hang", seconds=5, times=-1))
    with pytest.raises(ServiceError, match="no answer in time") as caught:
        post(github)
    assert caught.value.uncertain


def test_a_server_that_does_not_answer_is_not_waited_for_again(github_server: Hub) -> None:
    """Else every issue of a plan would cost a minute before the page after it goes out."""
    github = GitHubClient(
        github_server.url, client(github_server)._token, RetryPolicy(4, 0.001, 0.002, 1.0, wait_scale=1.0)
    )
    fault = github_server.inject(Fault("status", status=503, times=-1))
    for _ in range(3):
        with pytest.raises(ServiceError, match="503"):
            get(github)
    assert fault.strike_count == 4


def test_what_gets_no_answer_stops_nothing_else(github_server: Hub) -> None:
    """The comments of one issue can hang while everything else works."""
    github = GitHubClient(
        github_server.url, client(github_server)._token, RetryPolicy(4, 0.001, 0.002, 1.0, wait_scale=1.0)
    )
    fault = github_server.inject(Fault("status", path="/comments$", status=503, times=-1))
    for _ in range(2):
        with pytest.raises(ServiceError, match="503"):
            list(github.paginate("/repos/acme/churn/issues/1/comments", "list the comments of #1", {}))
    assert fault.strike_count == 4
    assert get(github)["full_name"] == "acme/churn"


def test_a_server_that_cannot_be_reached_is_not_tried_again_for_anything() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    github = GitHubClient(url, "token", RetryPolicy(4, 0.001, 0.002, 1.0, wait_scale=1.0))
    with pytest.raises(ServiceError, match="could not read acme/churn: the connection failed"):
        get(github)
    with pytest.raises(ServiceError, match="could not open an issue: an earlier request got no answer"):
        post(github)


def test_a_refusal_is_no_silence(github_server: Hub) -> None:
    github = GitHubClient(
        github_server.url, client(github_server)._token, RetryPolicy(4, 0.001, 0.002, 1.0, wait_scale=1.0)
    )
    github_server.inject(Fault("status", status=404, times=1))
    with pytest.raises(ServiceError, match="404"):
        get(github)
    assert get(github)["full_name"] == "acme/churn"


def test_no_token_and_no_url_are_mistakes_of_the_user() -> None:
    with pytest.raises(UserError, match="GITHUB_TOKEN"):
        open_github("https://api.github.com", "", QUICK)
    with pytest.raises(UserError, match="not the https URL"):
        open_github("github.com", "x", QUICK)
    for name in ("churn", "acme/churn/x", "acme/../x", "acme/..", ""):
        with pytest.raises(UserError):
            repository_path(name)


def test_where_token_and_url_come_from() -> None:
    assert github_token({"GH_TOKEN": "b"}) == "b"
    assert github_token({"GITHUB_TOKEN": " a\n", "GH_TOKEN": "b"}) == "a"
    assert github_api_url({}) == "https://api.github.com"
    assert github_api_url({"GITHUB_API_URL": "https://ghe/api/v3/"}) == "https://ghe/api/v3"
    assert github_api_url({"GITHUB_API_URL": "https://ghe/api/v3"}, "https://other/") == "https://other"


def test_an_enterprise_server_with_a_prefix_and_pages(github_server: Hub) -> None:
    github = client(github_server, prefix="/api/v3")
    person = github_server.standin.person("acme/churn", "alice")
    for number in range(150):
        person.open_issue(f"issue {number}")
    pages = list(github.paginate("/repos/acme/churn/issues", "list", {"state": "all"}))
    assert [len(page) for page in pages] == [100, 50]
    assert [page.more for page in pages] == [True, False]


class Elsewhere:
    """Answers with a link to another host, as a server behind a wrong address does."""

    name = "elsewhere"

    def handle(self, request: Request) -> Response:
        return Response.of([], headers=(("link", '<https://ghe.example.com/x?page=2>; rel="next"'),))


def test_links_to_another_host_are_not_followed() -> None:
    with Server(Elsewhere()) as server, pytest.raises(ServiceError, match="another host or port"):
        list(GitHubClient(server.url, "secret-token", QUICK).paginate("/x", "list", {}))


def test_whose_token(github_server: Hub) -> None:
    state = github_server.standin.state
    assert client(github_server, state.add_token("alice", kind="user")).login() == "alice"
    assert client(github_server, state.add_token()).login() == ACTIONS_LOGIN
    assert client(github_server, state.add_token("our-app[bot]")).login() == "our-app[bot]"
    enterprise = GitHubClient(f"{github_server.url}/api/v3", state.add_token("our-app[bot]"), QUICK)
    assert enterprise.login() == "our-app[bot]"
    assert [asked.path for asked in github_server.requests][-1] == "/api/graphql"
    integration = '{"message": "Resource not accessible by integration"}'
    github_server.inject(Fault("status", status=403, body=integration))
    assert client(github_server, "v1.of-an-older-server").login() == ACTIONS_LOGIN


@pytest.mark.parametrize(
    "answer", ['{"message": "Not Found"}', '{"errors": [{"message": "no"}]}', '{"data": null}', "{"]
)
@pytest.mark.parametrize("status", [200, 404, 502])
def test_a_token_that_nobody_tells_of_is_taken_for_a_workflows(github_server: Hub, status: int, answer: str) -> None:
    github_server.inject(Fault("status", status=status, body=answer, times=-1))
    assert client(github_server, "ghs_of-some-app").login() == ACTIONS_LOGIN


@pytest.mark.parametrize(
    ("token", "status", "message"),
    [
        ("github_pat_alice", 403, "Resource not accessible by integration"),
        ("ghp_alice", 403, "Resource not accessible by integration"),
        ("v1.of-an-older-server", 403, "The organization has an IP allow list enabled"),
        ("v1.of-an-older-server", 401, "Bad credentials"),
    ],
)
def test_whose_token_is_never_guessed(github_server: Hub, token: str, status: int, message: str) -> None:
    github_server.inject(Fault("status", status=status, body=f'{{"message": "{message}"}}', times=-1))
    with pytest.raises(ServiceError, match=message):
        client(github_server, token).login()


# --- dispatches


def test_limits_of_workflow_inputs() -> None:
    assert len(check_workflow_inputs({f"i{n}": "x" for n in range(25)})) == 25
    with pytest.raises(UserError, match="26 inputs"):
        check_workflow_inputs({f"i{n}": "x" for n in range(26)})
    with pytest.raises(UserError, match="too long"):
        check_workflow_inputs({"a": "x" * 65_536})


def test_limits_of_a_repository_dispatch() -> None:
    assert check_dispatch_payload("e" * 100, {"a": "x"}) == {"a": "x"}
    for event, payload in (
        ("", {}),
        ("e" * 101, {}),
        ("e", {f"k{n}": "x" for n in range(11)}),
        ("e", {"a": "é" * 33_000}),
        ("e", {"a": 1}),
    ):
        with pytest.raises(UserError):
            check_dispatch_payload(event, payload)


@pytest.fixture
def refused(github_server: Hub) -> Iterator[GitHubClient]:
    yield client(github_server)
    assert [r for r in github_server.requests if r.method == "POST"] == []


def test_nothing_is_sent_where_inputs_are_bad(refused: GitHubClient) -> None:
    with pytest.raises(UserError):
        dispatch_workflow(refused, "acme/churn", "retrain.yml", "main", {"depth": 3})  # type: ignore[dict-item]
    with pytest.raises(UserError):
        dispatch_repository(refused, "acme/churn", "", {})
    with pytest.raises(UserError):
        dispatch_workflow(refused, "acme/churn", "", "main", {})


@pytest.mark.parametrize("status", [401, 404, 422])
def test_a_refused_dispatch_is_never_silent(github_server: Hub, status: int) -> None:
    github = client(github_server)
    github_server.inject(Fault("status", status=status, times=-1))
    with pytest.raises(ServiceError) as caught:
        dispatch_repository(github, "acme/churn", "rollback", {})
    assert caught.value.status == status
    with pytest.raises(ServiceError) as caught:
        dispatch_workflow(github, "acme/churn", "retrain.yml", "main", {})
    assert caught.value.status == status


# --- moved repositories


class MovedRepository:
    """GitHub after ``acme/churn`` was renamed to ``acme/loyalty``: it redirects to the repository's number."""

    name = "moved"

    def __init__(self, status: int) -> None:
        self.status = status
        self.asked: list[tuple[str, str, dict[str, list[str]]]] = []

    def handle(self, request: Request) -> Response:
        self.asked.append((request.method, request.path, request.query))
        if request.path.startswith("/repos/acme/churn"):
            location = request.path.replace("/repos/acme/churn", "/repositories/1")
            return Response.of({"message": "Moved Permanently"}, self.status, headers=(("location", location),))
        if request.path == "/repositories/1":
            return Response.of({"full_name": "acme/loyalty", "default_branch": "trunk"})
        return Response.of([]) if request.method == "GET" else Response.of({}, 201)


Write = Callable[[GitHubClient], object]
WRITES: list[Write] = [
    lambda github: dispatch_repository(github, "acme/churn", "rollback", {}),
    lambda github: dispatch_workflow(github, "acme/churn", "retrain.yml", "main", {}),
    lambda github: github.write("POST", "/repos/acme/churn/labels", "create the label", {"name": "modelwatch"}),
    lambda github: github.write("PATCH", "/repos/acme/churn/issues/1", "close the issue", {"state": "closed"}),
]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("write", WRITES)
def test_a_redirected_write_is_an_error_that_names_the_new_repository(write: Write, status: int) -> None:
    """PyGithub takes most redirects for success: a dispatch that never happened would be reported as sent."""
    with Server(MovedRepository(status)) as server, pytest.raises(ServiceError) as caught:
        write(GitHubClient(server.url, "secret-token", QUICK))
    assert f"{status} the repository has moved to acme/loyalty" in caught.value.message
    assert "acme/loyalty" in caught.value.hint
    assert (caught.value.status, caught.value.uncertain) == (status, False)
    methods = [method for method, path, _ in server.standin.asked if path != "/repositories/1"]
    assert [method for method in methods if method != "GET"] == methods[-1:], "one write, to the old address alone"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirected_read_is_followed_with_its_query(status: int) -> None:
    """PyGithub drops the query: a filtered list of issues would come unfiltered, without the closed ones."""
    with Server(MovedRepository(status)) as server:
        github = GitHubClient(server.url, "secret-token", QUICK)
        assert list(github.paginate("/repos/acme/churn/issues", "list", {"labels": "modelwatch", "state": "all"})) == [
            []
        ]
        assert github.get("/repos/acme/churn", "read it")["full_name"] == "acme/loyalty"
    method, path, query = server.standin.asked[1]
    assert (method, path) == ("GET", "/repositories/1/issues")
    assert query == {"labels": ["modelwatch"], "state": ["all"], "per_page": ["100"]}


class RedirectsForEver:
    name = "circle"

    def handle(self, request: Request) -> Response:
        return Response.of({}, 301, headers=(("location", request.path),))


class RedirectsElsewhere:
    name = "away"

    def handle(self, request: Request) -> Response:
        return Response.of({}, 301, headers=(("location", "https://elsewhere.example/repositories/1"),))


def test_redirects_end_and_stay_at_the_server() -> None:
    with Server(RedirectsForEver()) as circle, pytest.raises(ServiceError, match="redirected 5 times in a row"):
        get(GitHubClient(circle.url, "secret-token", QUICK))
    with Server(RedirectsElsewhere()) as away:
        github = GitHubClient(away.url, "secret-token", QUICK)
        with pytest.raises(ServiceError, match="another host or port"):
            get(github)
        with pytest.raises(ServiceError, match=r"301 the repository has moved\. Nothing was changed"):
            post(github)
