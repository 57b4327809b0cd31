"""Runs files of rule tests, each against its configuration."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from ..config.loader import TESTS_SUFFIXES
from ..errors import ConfigError, UserError, did_you_mean, unforeseen
from ..model.monitored_model import Config
from .cases import RuleTest, RuleTestResult
from .checks import check_test
from .execution import start_run
from .files import RuleTestFile, read_test_file

CONFIG_FILE = "modelwatch.yml"
"""The configuration beside a file of tests, where the file names none."""

MIN_TESTS = 10
"""Tests that a process has at least: it starts in about as long as they take."""
LoadConfig = Callable[[Path], Config]


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of the tests of one file."""

    path: Path
    config: Path
    results: tuple[RuleTestResult, ...]


def find_test_files(config: Path) -> list[Path]:
    """The files of rule tests beside the configuration, or in it where that is a folder: ``*tests.yml``."""
    folder = config if config.is_dir() else config.parent
    try:
        return sorted(path for path in folder.iterdir() if path.name.endswith(TESTS_SUFFIXES) and path.is_file())
    except OSError as error:
        raise ConfigError((UserError(f"the folder cannot be read: {error.strerror}.", where=str(folder)),)) from None


def config_path(file: RuleTestFile, default: Path) -> Path:
    """The configuration of a file: the one that it names, the one beside it, or ``default``."""
    if file.config:
        return file.path.parent / file.config
    beside = file.path.parent / CONFIG_FILE
    return beside if beside.is_file() and default.name == CONFIG_FILE else default


@dataclass(frozen=True, slots=True)
class _Suite:
    """The tests of one file, read."""

    path: Path
    config_path: Path
    config: Config
    tests: tuple[RuleTest, ...]

    def result(self, results: Iterable[RuleTestResult]) -> FileResult:
        return FileResult(self.path, self.config_path, tuple(results))


def read_suites(
    paths: Sequence[Path], default: Path, load: LoadConfig, models: Sequence[str] = ()
) -> tuple[_Suite, ...]:
    """Read every file and its configuration; of the tests those of ``models``, if any are named. Raises ConfigError
    with the problems of all files."""
    problems: list[UserError] = []
    suites = []
    configs: dict[Path, Config] = {}
    for path in paths:
        try:
            file = read_test_file(path)
            place = config_path(file, default)
            if place not in configs:
                configs[place] = load(place)
            tests = file.tests(configs[place])
            chosen = tuple(test for test in tests if not models or test.model in models)
            suites.append(_Suite(path, place, configs[place], chosen))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(tuple({str(problem): problem for problem in problems}.values()))
    known = {model.name for config in configs.values() for model in config.models}
    if unknown := [name for name in models if name not in known]:
        raise UserError(f"there is no model {unknown[0]!r}.", hint=did_you_mean(unknown[0], known))
    return tuple(suites)


def run_suites(suites: Sequence[_Suite], name: str = "", jobs: int = 1) -> Iterator[FileResult]:
    """Run every test, or those whose name contains ``name``, file by file; in ``jobs`` processes where that is worth
    their start."""
    chosen = [[test for test in suite.tests if name.lower() in test.name.lower()] for suite in suites]
    if jobs < 2 or sum(map(len, chosen)) < jobs * MIN_TESTS:
        for suite, tests in zip(suites, chosen, strict=True):
            yield suite.result(run_test(test, suite.config) for test in tests)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        running = [
            [pool.submit(run_test, test, suite.config) for test in tests]
            for suite, tests in zip(suites, chosen, strict=True)
        ]
        for suite, tasks in zip(suites, running, strict=True):
            yield suite.result(task.result() for task in tasks)


def run_test(test: RuleTest, config: Config) -> RuleTestResult:
    """Run one test of the rules in ``config``; what goes wrong is in the result."""
    began = time.monotonic()
    try:
        result = check_test(start_run(test, config))
    except Exception as error:  # noqa: BLE001 - the barrier between tests
        result = RuleTestResult(test, (), error=unforeseen("running the test", error))
    return replace(result, seconds=time.monotonic() - began)
