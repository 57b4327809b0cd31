"""``modelwatch schema``: the published JSON Schemas of the files between the steps."""

from __future__ import annotations

import click

SCHEMA_NAMES = ("series", "alerts", "plan", "receipts", "baseline", "gate")


@click.command("schema")
@click.argument("name", type=click.Choice(SCHEMA_NAMES))
def schema(name: str) -> None:
    """Print the JSON Schema (draft 2020-12) of NAME."""
    import json

    from ..files import schema

    click.echo(json.dumps(schema(name), indent=2))
