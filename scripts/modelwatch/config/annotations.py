"""``annotations.yml`` beside the configuration: what people added to the charts of the dashboard.

It lies in the repository, so that an annotation is reviewed, has an author and a history, and needs no service. Entries
are appended, and nothing rewrites what stands there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ..errors import ConfigError, UserError, did_you_mean
from ..model.added_annotation import AddedAnnotation
from ..regular_file import read_regular_file
from ..timeutil import format_iso
from .field_types import BOOLEANS, Enumeration, Text, one_or_more
from .reader import Reader, shorten
from .secrets import Vault
from .sections import Field, ParsedSection, Section
from .vocabulary import NAME, TIMESTAMP, URL
from .yaml_nodes import SequenceNode, parse_yaml

ANNOTATIONS_FILE = "annotations.yml"
MAX_FILE_BYTES = 4 << 20
MAX_TEXT = 200
_HEADER = "# What happened, for the charts of `modelwatch dashboard`. Append with `modelwatch annotate`.\n"
_ENTRY = Section(
    "an annotation",
    {
        "at": Field(TIMESTAMP, "When it happened or began.", required=True),
        "text": Field(Text("a text", max_length=MAX_TEXT, literal=True), "What happened.", required=True),
        "until": Field(TIMESTAMP, "When it ended; without it a moment."),
        "models": Field(one_or_more(NAME), "Which models it is about; by default all."),
        "url": Field(URL, "Where to read more."),
        "by": Field(Text("a name", max_length=80, literal=True), "Who says so."),
        "incident": Field(
            Enumeration("`true` or `false`", BOOLEANS),
            "Whether rules should find it: `modelwatch backtest` checks that.",
        ),
    },
    dataclass=AddedAnnotation,
)


def annotations_path(config: Path) -> Path:
    """The file beside the configuration ``config``, or in it where that is a folder."""
    return (config if config.is_dir() else config.parent) / ANNOTATIONS_FILE


def read_annotations(
    path: Path, models: frozenset[str] | None
) -> tuple[tuple[AddedAnnotation, ...], tuple[UserError, ...]]:
    """The entries by time, and the problems of those that are left out; none where there is no file. ``models``: the
    names that are configured; ``None``: names are not checked. Raises ConfigError for a file that is no list."""
    try:
        content = read_regular_file(path, MAX_FILE_BYTES)
    except FileNotFoundError:
        return (), ()
    except OSError as error:
        raise ConfigError((UserError(f"the file cannot be read: {error.strerror}.", where=str(path)),)) from error
    if not any(line.strip() and not line.lstrip().startswith(b"#") for line in content.splitlines()):
        return (), ()
    return _parse(content, str(path), models)


def _parse(
    content: bytes, file: str, models: frozenset[str] | None
) -> tuple[tuple[AddedAnnotation, ...], tuple[UserError, ...]]:
    root = parse_yaml(content, file)
    if not isinstance(root, SequenceNode):
        hint = "`modelwatch annotate` shows how one looks."
        raise ConfigError((UserError("the file is no list of annotations.", hint=hint, where=file),))
    found: list[AddedAnnotation] = []
    problems: list[UserError] = []
    for node in root.items:
        reader = Reader(file, Path(file).parent, Vault({}, require=False))
        section = _ENTRY.read(node, reader)
        if section is not None:
            annotation = _build(section, models)
            if not reader.problems():
                found.append(annotation)
        problems += reader.problems()
    return tuple(sorted(found, key=lambda annotation: annotation.at)), tuple(problems)


def _build(section: ParsedSection, models: frozenset[str] | None) -> AddedAnnotation:
    named = tuple(section.get("models", ()))
    annotation: AddedAnnotation = section.build(models=named)
    if "until" in section and "at" in section and section.get("until", 0.0) < section.get("at", 0.0):
        section.add_problem("it ends before it begins.", value="until")
    if annotation.incident and annotation.until is None:
        section.add_problem("an incident needs `until`: when it ended.", key="incident")
    for name in named:
        if models is not None and name not in models:
            section.add_problem(f"there is no model `{shorten(name)}`.", did_you_mean(name, models), value="models")
    return annotation


def append_annotation(path: Path, annotation: AddedAnnotation) -> bool:
    """Append one entry; whether it is new: the same entry is not written twice. Raises ConfigError for one that could
    not be read again, OSError."""
    text = _to_yaml(annotation)
    if problems := _parse(text.encode(), "the new entry", None)[1]:
        raise ConfigError(problems)
    present = path.read_text("utf-8") if path.exists() else _HEADER
    if text in present:
        return False
    with path.open("a", encoding="utf-8") as file:
        file.write((_HEADER if not path.exists() or not path.stat().st_size else "") + text)
    return True


def _to_yaml(annotation: AddedAnnotation) -> str:
    """One entry. Texts are JSON strings, which are YAML, too, whatever they hold."""
    fields: Mapping[str, object] = {
        "at": format_iso(annotation.at),
        "until": None if annotation.until is None else format_iso(annotation.until),
        "models": list(annotation.models),
        "text": annotation.text,
        "url": annotation.url,
        "by": annotation.by,
        "incident": annotation.incident,
    }
    shown = [
        f"{name}: {value if name in ('at', 'until') else json.dumps(value, ensure_ascii=False)}"
        for name, value in fields.items()
        if value
    ]
    return "- " + "\n  ".join(shown) + "\n"
