"""The configuration itself: what ``config check`` finds, as checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ..config.lint import lint_models
from ..config.loader import load_config
from ..errors import ConfigError, UserError
from ..model.monitored_model import Config
from ..pagerduty_setup.desired_state import find_conflicts
from ..targets.messages.addresses import address_findings
from .setup_check import SetupCheck, report_error, report_ok, report_problem, report_warning

SUBJECT = "configuration"


def read_configuration(path: Path, env: Mapping[str, str]) -> tuple[Config | None, tuple[SetupCheck, ...]]:
    """The configuration, and its problems. Missing secrets and baselines are problems, and everything else is read
    without them; ``None`` where it cannot be read at all."""
    try:
        return _with_warnings(load_config(path, env), ())
    except ConfigError as error:
        problems = error.problems
    try:
        return _with_warnings(load_config(path, env, require_secrets=False, require_baselines=False), problems)
    except ConfigError:
        return None, tuple(report_error(SUBJECT, problem) for problem in problems)


def _with_warnings(config: Config, problems: tuple[UserError, ...]) -> tuple[Config, tuple[SetupCheck, ...]]:
    """What is only a warning in a second reading is among the problems of the first."""
    known = {f"{problem.where}: {problem.message}" for problem in problems}
    warnings = (report_warning(SUBJECT, text) for text in config.warnings if text not in known)
    return config, (*(report_error(SUBJECT, problem) for problem in problems), *warnings)


def check_configuration(config: Config, path: Path) -> Iterator[SetupCheck]:
    """Advice, contradictions and addresses of messages."""
    yield _summary(config, path)
    for finding in lint_models(config):
        yield report_error(SUBJECT, finding) if isinstance(finding, UserError) else report_warning(SUBJECT, finding)
    wrong, unavailable = address_findings(config)
    for problem in (*find_conflicts(config), *wrong):
        yield report_error(SUBJECT, problem)
    for problem in unavailable:
        yield report_warning(SUBJECT, f"{problem.where}: {problem.message}", problem.hint)


def _summary(config: Config, path: Path) -> SetupCheck:
    if not config.models:
        return report_problem(SUBJECT, f"{path} has no model.", "`modelwatch init` writes a first one.")
    counts = {"model": len(config.models), "rule": sum(len(model.rules) for model in config.models)}
    texts = (f"{count} {what}{'' if count == 1 else 's'}" for what, count in counts.items())
    return report_ok(SUBJECT, f"{path}: {', '.join(texts)}")
