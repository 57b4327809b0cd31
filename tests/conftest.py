"""Fixtures that many tests share: stand-ins on loopback, and an environment in which the real clients find them."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test, settings
from hypothesis.internal.conjecture import providers

from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn
from modelwatch.testing.standins.wandb import WandbStandIn

WANDB_KEY = "k" * 40
TESTS = Path(__file__).parent
LONG = frozenset(
    {"chaos", "crash", "e2e", "recorder", "relay", "release", "runbooks", "testing", "timeline"}
    | {"false_alarms", "false_promotions", "injection", "pagerduty_setup", "profiling", "sources"}
    | {"test_readme.py", "test_wheel.py"}
)
"""Where tests run servers, act and whole stories, or simulate: a file of them takes up to a minute."""

# A property test tries the same examples every time, without a time limit, so that no run fails by chance or on a slow
# machine; `make fuzz` searches at random.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile(
    "fuzz",
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "5000")) * 4,
    derandomize=False,
    deadline=None,
    print_blob=True,
)
settings.load_profile("ci")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A job in the background is started with Ctrl-C ignored, and so would every process be that a test starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("hypothesis_profile", None) != "fuzz":
        # Hypothesis also draws constants from those of our modules that are imported by then: the examples would depend
        # on which tests ran before.
        providers._get_local_constants = lambda: providers._local_constants
    for folder in sorted(path.name for path in TESTS.iterdir() if (path / "__init__.py").is_file()):
        config.addinivalue_line("markers", f"{folder}: in tests/{folder}")
    config.addinivalue_line("markers", "property: tries examples that hypothesis makes up")
    config.addinivalue_line("markers", "slow: a simulation of several seconds, which `make test-fast` leaves out")
    config.addinivalue_line("markers", "tools: needs Node.js tools of .tools/npm")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test with its folder, and property tests as such; begin with what takes longest.

    A file of few long tests at the end would keep one worker busy while the other has nothing left.
    """
    folder_of = cache(lambda path: path.relative_to(TESTS).parts[0])
    items.sort(key=lambda item: folder_of(item.path) not in LONG)
    for item in items:
        folder = folder_of(item.path)
        if not folder.endswith(".py"):
            item.add_marker(folder)
        if is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker("property")


def pytest_collection_finish() -> None:
    """Spare the garbage collector the thousands of tests, which live until the end."""
    gc.freeze()


def wandb_env(url: str, home: Path) -> dict[str, str]:
    """Environment of a W&B client that talks to ``url`` only, keeps its files in ``home`` and gives up quickly."""
    return {
        "WANDB_BASE_URL": url,
        "WANDB_API_KEY": WANDB_KEY,
        "WANDB_MODE": "online",
        "WANDB_DIR": str(home),
        "WANDB_CACHE_DIR": str(home / "cache"),
        "WANDB_CONFIG_DIR": str(home / "config"),
        "WANDB_DATA_DIR": str(home / "data"),
        "WANDB_ARTIFACT_DIR": str(home / "artifacts"),
        "WANDB_SILENT": "true",
        "WANDB_CONSOLE": "off",
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_DISABLE_GIT": "true",
        "WANDB_X_DISABLE_STATS": "true",
        "WANDB_X_DISABLE_META": "true",
        "WANDB_X_SERVICE_WAIT": "120",
        "WANDB_X_GRAPHQL_RETRY_MAX": "2",
        "WANDB_X_GRAPHQL_RETRY_WAIT_MIN_SECONDS": "0",
        "WANDB_X_GRAPHQL_RETRY_WAIT_MAX_SECONDS": "1",
        "WANDB_X_GRAPHQL_TIMEOUT_SECONDS": "5",
        "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "0.05",
        "WANDB_X_FILE_STREAM_RETRY_MAX": "5",
        "WANDB_X_FILE_STREAM_RETRY_WAIT_MIN_SECONDS": "0",
        "WANDB_X_FILE_STREAM_RETRY_WAIT_MAX_SECONDS": "1",
        "WANDB_X_FILE_TRANSFER_RETRY_MAX": "2",
        "WANDB_X_FILE_TRANSFER_RETRY_WAIT_MIN_SECONDS": "0",
        "WANDB_X_FILE_TRANSFER_RETRY_WAIT_MAX_SECONDS": "1",
    }


@contextmanager
def wandb_on_loopback(home: Path, standin: WandbStandIn | None = None) -> Iterator[Server[WandbStandIn]]:
    """A W&B whose default entity is ``acme``; the environment points every W&B client at it."""
    home.mkdir(parents=True, exist_ok=True)
    with Server(standin or WandbStandIn()) as server, pytest.MonkeyPatch.context() as patch:
        for name, value in wandb_env(server.url, home).items():
            patch.setenv(name, value)
        forget_wandb()
        try:
            yield server
        finally:
            forget_wandb()
    assert server.errors == []


def forget_wandb() -> None:
    """End the client's background process, which keeps the settings it was started with, and forget its address."""
    if "wandb" in sys.modules:
        sys.modules["wandb"].teardown()
    os.environ.pop("WANDB_SERVICE", None)


@pytest.fixture(scope="session")
def wandb_loopback() -> Callable[..., AbstractContextManager[Server[WandbStandIn]]]:
    """``with wandb_loopback(home, standin) as server``: for fixtures of a wider scope than one test."""
    return wandb_on_loopback


@pytest.fixture
def wandb_server(tmp_path: Path) -> Iterator[Server[WandbStandIn]]:
    """A W&B of one test."""
    with wandb_on_loopback(tmp_path / "wandb") as server:
        yield server


@pytest.fixture
def github_server() -> Iterator[Server[GitHubStandIn]]:
    """A GitHub on loopback without repositories: ``server.standin.state.add_repo(...)``, ``.add_token(...)``."""
    with Server(GitHubStandIn()) as server:
        yield server
    assert server.errors == []


@pytest.fixture
def pagerduty_server() -> Iterator[Server[PagerDutyStandIn]]:
    """A PagerDuty on loopback without services: ``server.standin.state.add_service(...)``, ``.add_token(...)``."""
    with Server(PagerDutyStandIn()) as server:
        yield server
    assert server.errors == []
