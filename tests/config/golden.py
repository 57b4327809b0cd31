"""Golden files: good configurations with what they load to, bad ones with every message.

``python -m tests.config.golden`` writes them anew; read the difference before you commit it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from modelwatch.config.loader import load_config
from modelwatch.errors import ConfigError
from modelwatch.model.keys import KeyPattern
from modelwatch.model.secret import Secret

HERE = Path(__file__).parent
GOOD = sorted([*HERE.glob("good/*.yml"), HERE / "good/fleet"])
BAD = sorted([*HERE.glob("bad/*.yml"), HERE / "bad/fleet"])
PLANTED = "planted-0123456789abcdef0123456789"
ENV = {
    "PAGERDUTY_ROUTING_KEY": PLANTED,
    "FRAUD_KEY": f"{PLANTED}-key",
    "GPU": "a100",
    "FRAUD_CHAT": f"slack://{PLANTED}-chat",
    "MODELWATCH_SECRETS": f"# the fleet's\nexport FRAUD_TOKEN='{PLANTED}-token'\n",
}


def plain(value: Any) -> Any:
    """As JSON, with secrets by their names and places by their lines."""
    if isinstance(value, Secret):
        return f"${{{value.name}}}"
    if isinstance(value, KeyPattern):
        return value.text
    if isinstance(value, Enum):
        return str(value.value)
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return relative(value) if isinstance(value, str) else value


def relative(text: str) -> str:
    return text.replace(f"{HERE}/", "")


def loaded(path: Path) -> str:
    return json.dumps(plain(load_config(path, ENV)), indent=1, ensure_ascii=False) + "\n"


def told(path: Path) -> str:
    """Every message of a bad configuration, a line each."""
    try:
        load_config(path, ENV)
    except ConfigError as error:
        return relative("".join(f"{problem}\n" for problem in error.problems))
    return "nothing\n"


def golden(path: Path) -> Path:
    return path.with_suffix(".json" if path in GOOD else ".txt")


def write(paths: Iterable[Path]) -> None:
    for path in paths:
        golden(path).write_text(loaded(path) if path in GOOD else told(path), "utf-8")


if __name__ == "__main__":
    write([*GOOD, *BAD])
