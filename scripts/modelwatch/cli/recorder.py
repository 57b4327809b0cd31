"""``modelwatch recorder``: what serving processes have recorded, on its way to where it is read."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from pathlib import Path

import click

from ..errors import Exit
from ..recorder.sender import SendReport, send
from ..recorder.spool_status import read_status
from . import CommandGroup
from .options import FOLDER, format_option, print_json, retry_policy

SPOOL = click.argument("spool", type=FOLDER)


@click.group("recorder", cls=CommandGroup)
def recorder() -> None:
    """Send what a recorder left in its spool, or look at it."""


@recorder.command("send")
@SPOOL
@click.option(
    "--wait", type=click.FloatRange(0), default=0.0, metavar="SECONDS", help="Wait for another sender to end."
)
@format_option
def send_spool(spool: Path, wait: float, style: str) -> Exit:
    """Profile the rows in a spool, and send profiles and rows to the recorder's folder and to W&B.

    Recorders start this by themselves; run it for what a machine that was switched off left behind. Exit code 3 if a
    destination cannot be reached; what is for it stays in the spool.
    """
    if hasattr(os, "nice"):
        os.nice(15)  # serving comes first
    report = send(spool, os.environ, retry_policy(), time.time, wait)
    if style == "json":
        print_json(asdict(report))
    else:
        _print_report(report)
    return Exit.SOURCE_DOWN if report.problems else Exit.OK


def _print_report(report: SendReport) -> None:
    if report.is_busy and not report.problems:
        click.echo("Another process is sending this spool.")
        return
    lost = sum(report.lost.values())
    profiles = f"{len(report.profiles)} {'profile' if len(report.profiles) == 1 else 'profiles'}"
    files = f"{report.files} {'file' if report.files == 1 else 'files'} of rows"
    click.echo(f"{report.rows:,} rows profiled, {profiles} and {files} sent{f', {lost:,} rows lost' if lost else ''}.")
    for line in report.set_aside:
        click.echo(line, err=True)
    for path in report.wandb:
        click.echo(f"  {path}")
    for problem in report.problems:
        click.echo(problem, err=True)


@recorder.command("status")
@SPOOL
@format_option
def status(spool: Path, style: str) -> Exit:
    """Print what lies in a spool: what waits to be sent, and the days that it has counted.

    Exit code 2 for a folder that is no spool.
    """
    found = read_status(spool)
    if style == "json":
        print_json(found.to_json())
        return Exit.OK
    for line in found.lines():
        click.echo(line)
    return Exit.OK
