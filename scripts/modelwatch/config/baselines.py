"""Reading baselines: their kinds, baseline files, and the headers of reference profiles.

Of a profile (``baseline capture --from-table``) only the header and the hash are read, with the standard library."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from urllib.parse import unquote

from .. import typed_json
from ..errors import did_you_mean
from ..model.baseline_origin import foreign_origin
from ..model.drift import drift_spec
from ..model.keys import KeyPattern
from ..model.prediction_log import is_artifact
from ..model.rule import BaselineEntry, BaselineKind, BaselineSpec
from ..regular_file import read_regular_file
from ..timeutil import DAY
from .reader import shorten
from .sections import ParsedSection

PROFILE_FORMAT = 1
PROFILE_SUFFIX = ".npz"
ZIP_MAGIC = b"PK\x03\x04"
MAX_HEADER_BYTES = 200_000_000
"""Bytes of the header once unpacked."""
_NPY_MAGIC = b"\x93NUMPY"


@dataclass(frozen=True, slots=True)
class ProfileHeader:
    """``digest``: 16 hex characters over the content. ``model``, ``source`` and ``captured`` (seconds, UTC) are its
    origin, where known; ``shared`` as in ``BaselineEntry``. ``entries``: what metrics are on the training set."""

    digest: str
    columns: frozenset[str]
    model: str = ""
    source: str = ""
    captured: float = 0.0
    shared: bool = False
    entries: tuple[BaselineEntry, ...] = ()


def read_profile_header(data: bytes) -> ProfileHeader | str:
    """The profile; where it is none, why."""

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            if file.getinfo("header.npy").file_size > MAX_HEADER_BYTES:
                return "is too large"
            header = json.loads(_npy_content(file.read("header.npy")))
        if header["format"] != PROFILE_FORMAT:
            readable = f"this version of modelwatch reads format {PROFILE_FORMAT}"
            return f"is a profile of format {header['format']}; {readable}"
        columns = frozenset(str(name) for cell in header["cells"] for name in cell["columns"])
        about = header.get("about") or {}
        origin = str(about.get("model") or ""), str(about.get("source") or ""), float(about.get("captured") or 0.0)
        entries = typed_json.convert(about.get("entries") or [], tuple[BaselineEntry, ...])
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, OSError, RuntimeError):
        return "is no profile: `modelwatch baseline capture --from-table` writes one"
    digest = hashlib.sha256(data).hexdigest()[:16]
    return ProfileHeader(digest, columns, *origin, shared=bool(about.get("shared")), entries=entries)


def _npy_content(array: bytes) -> bytes:
    """The content of an ``.npy`` file of bytes."""
    if not array.startswith(_NPY_MAGIC):
        raise ValueError("no array")
    long = array[6] >= 2
    length = int.from_bytes(array[8 : 12 if long else 10], "little")
    return array[(12 if long else 10) + length :]


BASELINE_FORMAT = 1
MAX_BASELINE_BYTES = 50_000_000
_KINDS = {
    "file": (BaselineKind.FILE, "path"),
    "rolling": (BaselineKind.ROLLING, "length"),
    "seasonal": (BaselineKind.SEASONAL, "length"),
    "version": (BaselineKind.VERSION, "version"),
    "value": (BaselineKind.CONSTANT, "value"),
}
"""By key the kind, and the field of ``BaselineSpec`` that holds the value."""

EntriesByMetric = dict[str, tuple[BaselineEntry, ...]]
"""The entries of a baseline file by the name of their metric."""
BaselineContent = EntriesByMetric | ProfileHeader


class BaselineFiles:
    """Reads each baseline file once for a whole configuration.

    Unless they are required, a file or an entry that is missing is a warning only: it is about to be captured.
    """

    def __init__(self, *, require: bool = True) -> None:
        self.require = require
        self._read: dict[Path, BaselineContent | str] = {}

    def content(self, path: Path) -> BaselineContent | str:
        """Entries or profile; where the file cannot be used, why."""
        if path not in self._read:
            self._read[path] = _load_content(path)
        return self._read[path]


@dataclass(frozen=True, slots=True)
class BaselineUser:
    """The model that compares with a baseline."""

    model: str
    """Its name."""
    origin: str
    """See ``describe_origin``."""


def read_baselines(
    stated: ParsedSection | list[ParsedSection] | None,
    metric: KeyPattern | None,
    files: BaselineFiles,
    user: BaselineUser,
) -> tuple[BaselineSpec, ...]:
    """What is compared with, at least one; ``BaselineKind.NONE`` where nothing is given."""
    sections = [stated] if isinstance(stated, ParsedSection) else stated or []
    return tuple(_read_baseline(section, metric, files, user) for section in sections) or (BaselineSpec(),)


def _read_baseline(
    section: ParsedSection, metric: KeyPattern | None, files: BaselineFiles, user: BaselineUser
) -> BaselineSpec:
    """One of the five kinds."""
    chosen = [name for name in _KINDS if name in section]
    if len(chosen) != 1:
        message = "a baseline has exactly one of `file`, `rolling`, `seasonal`, `version` and `value`"
        names = f"; this one has {' and '.join(f'`{name}`' for name in chosen)}" if chosen else ""
        section.add_problem(f"{message}{names}.", key=chosen[1] if chosen else "")
        return BaselineSpec()
    name = chosen[0]
    if "n" in section and name != "value":
        section.add_problem("`n` belongs to `value`.", "Other baselines bring their own counts.", key="n")
    if "anchor" in section and name != "rolling":
        section.add_problem("`anchor` belongs to `rolling`.", "Other baselines do not follow the metric.", key="anchor")
    value = section.get(name)
    if value is None:
        return BaselineSpec()
    if name == "file":
        return _read_file_baseline(section, value, metric, files, user)
    if name == "seasonal" and value % (7 * DAY):
        section.add_problem("`seasonal` compares hours of the week, so it takes whole weeks such as 4w.", value=name)
    kind, attribute = _KINDS[name]
    return BaselineSpec(kind, n=section.get("n"), anchor=section.get("anchor", True), **{attribute: value})


def _read_file_baseline(
    section: ParsedSection, path: str, metric: KeyPattern | None, files: BaselineFiles, user: BaselineUser
) -> BaselineSpec:
    place = section.reader.folder / path
    spec = BaselineSpec(BaselineKind.FILE, path=path)
    if is_artifact(path) and not place.exists():
        # Its name says which version: its content is read during the pull.
        return replace(spec, profile=path, place=path)
    content = files.content(place)
    if isinstance(content, str):
        hint = f"`{capture_command(user.model, path, is_profile=path.endswith(PROFILE_SUFFIX))}` writes it."
        _report(section, f"the baseline file {path} {content}.", hint, files)
        return spec
    if metric is None:
        return spec
    drift = drift_spec(metric)
    if isinstance(content, ProfileHeader):
        is_own = content.shared or _is_own(section, path, user, files, [(content.model, "")], is_profile=True)
        if drift is not None:
            _check_column(section, path, metric, content, files)
            return replace(spec, profile=content.digest, place=path)
        entries = tuple(entry for entry in content.entries if entry.name == metric.name)
        if not entries and is_own:
            hint = "The training set needs the columns of the model's `measure:`; capture it again once it has them: "
            command = capture_command(user.model, path, is_profile=True)
            _report(section, f"the profile {path} has no value of {metric.name}.", f"{hint}`{command}`.", files)
        return replace(spec, entries=entries)
    # Entries of the metric, and where it is a measure of drift those of the histograms behind it.
    names = dict.fromkeys((metric.name, *(pattern.name for pattern in (drift.patterns if drift else ()))))
    entries = tuple(entry for name in names for entry in content.get(name, ()))
    if not entries:
        hint = did_you_mean(metric.name, content) if metric.name not in content else ""
        _report(section, f"the baseline file {path} has no entry for {metric.name}.", hint, files)
    own = [(entry.model, entry.source) for entry in entries if entry.model and not entry.shared]
    _is_own(section, path, user, files, own, is_profile=False)
    return replace(spec, entries=entries)


def _is_own(
    section: ParsedSection,
    path: str,
    user: BaselineUser,
    files: BaselineFiles,
    captured: Iterable[tuple[str, str]],
    *,
    is_profile: bool,
) -> bool:
    """Whether every value, ``captured`` for a model and from a source, is of the one that uses it; else a problem."""
    texts = (foreign_origin(user.model, user.origin, model, source) for model, source in captured)
    text = next(filter(None, texts), "")
    if text:
        command = capture_command(user.model, path, is_profile=is_profile)
        hint = f"Capture it again: `{command}`; `--force` marks a baseline that other models may use."
        _report(section, f"the baseline {path} {text}.", hint, files)
    return not text


def capture_command(model: str, path: str, *, is_profile: bool) -> str:
    """The command that writes a baseline file; ``TABLE`` stands for the training set that a profile is made of."""
    table = "--from-table TABLE " if is_profile else ""
    return f"modelwatch baseline capture --model {quote(model)} {table}--out {quote(path)}"


def _report(section: ParsedSection, message: str, hint: str, files: BaselineFiles) -> None:
    if files.require:
        section.add_problem(message, hint, value="file")
    else:
        section.reader.add_warning(section.value_node("file"), message)


def _check_column(
    section: ParsedSection, path: str, metric: KeyPattern, profile: ProfileHeader, files: BaselineFiles
) -> None:
    """A rule about one feature needs that column."""
    drift = drift_spec(metric)
    if drift is None or not drift.patterns or not metric.is_plain:
        return
    feature = unquote(drift.patterns[0].text.rpartition("/")[2])
    if feature not in profile.columns:
        hint = did_you_mean(feature, profile.columns)
        _report(section, f"the profile {path} has no column {shorten(feature)}.", hint, files)


def _load_content(path: Path) -> BaselineContent | str:
    import msgspec

    try:
        data = read_regular_file(path, MAX_BASELINE_BYTES)
    except FileNotFoundError:
        return "does not exist"
    except (OSError, ValueError) as error:
        return f"cannot be read ({getattr(error, 'strerror', None) or type(error).__name__})"
    if data.startswith(ZIP_MAGIC) or path.suffix == PROFILE_SUFFIX:
        return read_profile_header(data)
    try:
        head = typed_json.decode(data, dict[str, msgspec.Raw])
        if typed_json.decode(head.get("format", b"0"), int) != BASELINE_FORMAT:
            return f"is not of format {BASELINE_FORMAT}; this version of modelwatch reads no other"
        entries = typed_json.decode(head.get("entries", b"[]"), list[BaselineEntry])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return f"is not a baseline file ({str(error).rstrip('.')})"
    by_name: dict[str, list[BaselineEntry]] = {}
    for entry in entries:
        by_name.setdefault(entry.name, []).append(entry)
    return {name: tuple(same) for name, same in by_name.items()}
