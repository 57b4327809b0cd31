"""The ``modelwatch`` command. A command's module is imported only when the command runs."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, ClassVar

import click

from .. import __version__
from ..errors import did_you_mean, require_extra
from .cpu_features import disable_slow_avx512

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from click.shell_completion import CompletionItem

COMMANDS = {
    "pull": ("steps", "Read the metrics of every model into series.jsonl."),
    "evaluate": ("steps", "Evaluate the rules on series.jsonl; write alerts.json."),
    "check": ("check", "Pull, evaluate and print which alerts fire."),
    "backtest": ("backtest", "Replay history: what the rules would have found, paged and started."),
    "sensitivity": ("sensitivity", "Print what each rule can see: how small a change, how soon."),
    "plan": ("steps", "Compare alerts.json with GitHub and PagerDuty; write plan.json."),
    "apply": ("steps", "Apply plan.json; write receipts.json."),
    "run": ("run", "Pull, evaluate, plan and apply in one go."),
    "watch": ("run", "Run every few minutes for a while, such as after a deployment."),
    "diagnose": ("diagnose", "The first five minutes in one command: where, why, what changed, what next."),
    "status": ("status", "List open issues with their incidents and workflow runs."),
    "dashboard": ("dashboard", "Write a static site of every model: colour, metrics, alerts, what is done."),
    "annotate": ("annotate", "Mark on the dashboard's charts that something happened."),
    "audit": ("audit", "List who did what, when and why, from the record on the issues."),
    "review": ("audit", "Write the review of an incident as Markdown, from its issue."),
    "scorecard": ("scorecard", "What the alerts were worth: times, false alarms, automation, coverage, cost."),
    "business": ("business", "What a model is worth: value, gain, costs and return."),
    "config": ("config", "Check the configuration, or print its keys."),
    "test": ("rule_tests", "Run tests of rules: series in, alerts and actions expected."),
    "doctor": ("doctor", "Check everything an evaluation needs: configuration, W&B, tokens, people, workflows."),
    "watchdog": ("watchdog", "Check from outside whether modelwatch itself still works; one issue, one page."),
    "measure": ("measure", "Turn prediction logs into W&B metrics and profiles."),
    "score": ("score", "Let the versions that serve score a fixed holdout, and log how they do."),
    "recorder": ("recorder", "Send what serving processes have recorded, or look at it."),
    "explain": ("measure", "Search a prediction log for the segment that explains a drop."),
    "labels": ("labels", "Plan which rows to have labelled; see how far annotators agree, and how long labels take."),
    "experiment": ("experiment", "Print what A/B experiments and cohorts show: ship, stop or go on."),
    "baseline": ("baseline", "Capture baselines from history, or propose new ones by pull request."),
    "release": ("release", "See which version serves, and change it: status, promote, rollback, canary."),
    "drill": ("drill", "Break something on purpose, and verify that the chain from W&B to the page holds."),
    "relay": ("relay", "Receive PagerDuty's webhooks and start GitHub workflows."),
    "receive": ("receive", "Handle a PagerDuty event that arrived as a repository_dispatch."),
    "runbooks": ("runbooks", "Check the runbooks, or fill one in for an alert."),
    "pagerduty": ("pagerduty", "Set up PagerDuty from the configuration: plan, apply."),
    "wandb": ("wandb", "Make a view, a report and automations inside W&B from the configuration: plan, apply."),
    "init": ("init", "Write a working configuration and workflows into a repository."),
    "shards": ("shards", "Split a fleet of models into a workflow matrix."),
    "gather": ("shards", "Merge the results of many shards into one report."),
    "schema": ("config", "Print the JSON Schema of a file that the steps exchange."),
    "standins": (".testing.standins.command", "Serve simulated copies of W&B, GitHub and PagerDuty, to try things on."),
    "demo": (".testing.demo.command", "Watch five stories of models that fail and recover, or be on call for one."),
}

SORTING_COMMANDS = frozenset(("measure", "score", "recorder", "explain", "experiment", "baseline"))
"""Commands that profile tables, of which sorting is most of the cost."""


class CommandGroup(click.Group):
    """A group that names the likely command after a slip."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            path = ctx.command_path if ctx.parent else "modelwatch"
            hint = did_you_mean(args[0], known, f"See {path} --help.")
            ctx.fail(f"There is no command {args[0]!r}. {hint}")
        return super().resolve_command(ctx, args)


class LazyGroup(CommandGroup):
    """A group that lists its commands from a table and imports a command's module only to invoke it."""

    table: ClassVar[Mapping[str, tuple[str, str]]] = COMMANDS
    """Command -> module and help. The module is named from here, with a dot before it from ``modelwatch``; the command
    is its attribute of the command's name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.table:
            return None
        if cmd_name in SORTING_COMMANDS:
            disable_slow_avx512(os.environ)
        with require_extra("testing"):
            module = importlib.import_module(f".{self.table[cmd_name][0]}", __name__)
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, help_text) in self.table.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """From the table: no command is imported, whose extra could be missing."""
        from click.shell_completion import CompletionItem  # only while a shell completes

        commands = [
            CompletionItem(name, help=text) for name, (_, text) in self.table.items() if name.startswith(incomplete)
        ]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="modelwatch")
def group() -> None:
    """Evaluate the W&B metrics of production models, and keep GitHub issues, workflows and PagerDuty in step.

    Exit codes: 0 ok, 1 a bug, 2 usage or configuration, 3 a source is down, 4 GitHub or PagerDuty failed; with
    --exit-code also 10 warning, 11 error, 12 critical.

    Completion, in ~/.bashrc: eval "$(_MODELWATCH_COMPLETE=bash_source modelwatch)"; zsh_source and fish_source, too.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the console script; ends the process with an exit code of ``errors.Exit``."""
    from .runner import run_group

    run_group(group, arguments)
