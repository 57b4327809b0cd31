"""Writes the site, and only what changed: models whose digest is that of the last time keep their files.

A build that is killed leaves every page whole: files are replaced one by one, the fleet page after those of models.
What was made is in ``state.json``, which is written last.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import metadata, resources
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from .. import __version__, typed_json
from ..errors import UserError, require_extra
from ..model.site_paths import model_path
from ..timeutil import DAY
from .alert_pages import EarlierAlerts, alert_files, merge_links, picture_path, remember_links, unwatched_page
from .alert_records import decode_page, record_path
from .badges import fleet_badge, model_badge
from .collect import Collection, ModelSource
from .fleet import fleet_page, fleet_row
from .html import EXTRA, render_alert, render_fleet, render_view, script_json, view_file
from .model_page import model_page
from .page import AlertLink, AlertPage, FleetRow, ModelPage
from .themes import LEGEND_WIDTH, TOKENS, chart_config

STATE, INDEX, BADGE = "state.json", "index.html", "badge.svg"
MAX_ALERTS = 100
"""Alerts of one model whose pages are kept, the newest."""
MAX_SHOWN = 20
"""Alerts that a model's page lists."""
FORMAT = 1
MAX_AGE = DAY
"""Seconds after which a model's pages are made anew though nothing changed: their charts end with the evaluation."""
CODE_SUFFIXES = (".py", ".html", ".js", ".css")
LIBRARY = "vl-convert-python"
LIBRARY_GLOBALS = "window.vegaEmbed = vegaEmbed;"
"""What the page's script needs of the bundled libraries; a page from a file can load no module."""
_OWN_PATH = re.compile(r"(models|badges|assets)/[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+){0,2}")


@dataclass(frozen=True, slots=True)
class ModelState:
    """What was made of one model."""

    digest: str
    at: float
    files: tuple[str, ...]
    row: FleetRow


@dataclass(frozen=True, slots=True)
class SiteState:
    """The content of ``state.json``."""

    code: str
    """Of what makes the pages: another version makes all of them anew."""
    models: dict[str, ModelState] = field(default_factory=dict)
    alerts: dict[str, tuple[AlertLink, ...]] = field(default_factory=dict)
    """The alerts that have a page, by model, newest first: their permalinks outlast the alert and any build."""
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class SiteResult:
    """What a build did, as names of models."""

    made: tuple[str, ...]
    kept: tuple[str, ...]
    removed: tuple[str, ...]


def check_extra() -> None:
    """Raises UserError, one line that says how to install it, where the extra of the dashboard is missing."""
    with require_extra(EXTRA):
        import jinja2  # noqa: F401

        if find_spec("vl_convert") is None:  # its import costs more than a build of which nothing changed
            raise ModuleNotFoundError(name="vl_convert")


def write_site(folder: Path, collection: Collection, *, others_stay: bool = False) -> SiteResult:
    """``others_stay``: the collection is a part of the fleet; what the site has of other models stays. Raises
    UserError for a folder that holds something else, or that cannot be written."""
    state, code = _read_state(folder), _code_digest()
    before = state.models if state.code == code else {}
    kept = {
        source.model.name: before[source.model.name]
        for source in collection.models
        if _is_current(before.get(source.model.name), source, collection.now, folder)
    }
    changed = [source for source in collection.models if source.model.name not in kept]
    collected = {source.model.name for source in collection.models}
    unmade = {name: one if name in before else replace(one, digest="") for name, one in state.models.items()}
    others = {name: one for name, one in unmade.items() if others_stay and name not in collected}
    _make_folder(folder)
    if changed:
        # What is half made when the build ends is made again; and the folder is known as ours from the first file on.
        half = {name: one if name in others else replace(one, digest="") for name, one in unmade.items()}
        _write_state(folder, SiteState(code, half | kept, state.alerts))
    assets, alerts = write_assets(folder), dict(state.alerts)
    made = {}
    for source in changed:
        name = source.model.name
        made[name], alerts[name] = _make_model(folder, source, assets, alerts.get(name, ()))
    states = others | {source.model.name: (made | kept)[source.model.name] for source in collection.models}
    removed = tuple(name for name in state.models if name not in states)
    for name in removed:
        alerts[name] = _unwatch(folder, name, alerts.get(name, ()), assets, collection.now)
    page = fleet_page((one.row for one in states.values()), collection.now, collection.problems)
    _write(folder / "assets" / "built.js", f"window.modelwatchBuilt = {collection.now:.0f};\n".encode())
    _write(folder / INDEX, render_fleet(page, assets).encode())
    _write(folder / BADGE, fleet_badge(page.rows).encode())
    _write_state(folder, SiteState(code, states, alerts))
    _remove_old(folder, state.models, states)
    return SiteResult(tuple(made), tuple(kept), removed)


def write_assets(folder: Path) -> dict[str, str]:
    """Write what all pages share; gives the address of each file below ``assets/``."""
    target = folder / "assets"
    target.mkdir(exist_ok=True)
    files = {"style": "dashboard.css", "script": "dashboard.js", "themes": "themes.js"}
    contents = {
        "style": _static("dashboard.css"),
        "script": _static("dashboard.js"),
        "themes": _themes_script().encode(),
    }
    addresses = {}
    for name, content in contents.items():
        _write(target / files[name], content)
        addresses[name] = f"{files[name]}?v={hashlib.sha256(content).hexdigest()[:8]}"
    addresses["vega"] = f"vega-{metadata.version(LIBRARY)}.js"
    if not (target / addresses["vega"]).exists():
        _write(target / addresses["vega"], _chart_library())
    return addresses


@cache
def _chart_library() -> bytes:
    """Vega, Vega-Lite and vega-embed as one script; it takes a second to bundle."""
    import vl_convert

    return vl_convert.javascript_bundle(LIBRARY_GLOBALS).encode()


def _static(name: str) -> bytes:
    return resources.files("modelwatch.dashboard").joinpath("static", name).read_bytes()


def _themes_script() -> str:
    tokens = {str(theme): dict(tokens) for theme, tokens in TOKENS.items()}
    themes = {"tokens": tokens, "config": chart_config(), "legendWidth": LEGEND_WIDTH}
    return f"window.modelwatchThemes = {script_json(themes)};\n"


def _make_model(
    folder: Path, source: ModelSource, assets: Mapping[str, str], before: tuple[AlertLink, ...]
) -> tuple[ModelState, tuple[AlertLink, ...]]:
    """``before``: the alerts that have a page; the second value are those that have one now."""
    snapshot = source.read()
    page, health = model_page(snapshot)
    page = replace(page, alerts=remember_links(snapshot, page.alerts, before))
    earlier = EarlierAlerts(before, lambda link: _read_alert(folder, link))
    for path, content in alert_files(snapshot, page, earlier, dict(assets)):
        _write(folder / path, content)
    known = merge_links(page.alerts, before, is_unread=bool(snapshot.pull.error))
    for link in known[MAX_ALERTS:]:
        for path in (link.page, picture_path(link), record_path(link)):
            _remove(folder, path)
    page = replace(page, alerts=(*(link for link in page.alerts if not link.page), *known[:MAX_SHOWN]))
    files = []
    for path, content in _model_files(page, assets):
        _write(folder / path, content)
        files.append(path)
    row = fleet_row(snapshot, health, f"{model_path(page.model)}{INDEX}")
    files.append(f"{model_path(page.model)}{BADGE}")
    _write(folder / files[-1], model_badge(row).encode())
    return ModelState(source.digest, snapshot.now, tuple(files), row), known[:MAX_ALERTS]


def _unwatch(
    folder: Path, model: str, links: tuple[AlertLink, ...], assets: Mapping[str, str], now: float
) -> tuple[AlertLink, ...]:
    """Say on the pages of alerts that their model is gone; its alerts, of which nobody knows any more how they are."""
    pages = [unwatched_page(link, model, _read_alert(folder, link), now) for link in links if _is_own(link.page)]
    for page in pages:
        _write(folder / page.link.page, render_alert(page, dict(assets)).encode())
    return tuple(page.link for page in pages)


def _read_alert(folder: Path, link: AlertLink) -> AlertPage | None:
    """What an earlier build has kept of the page of an alert."""
    if not _is_own(link.page):
        return None
    try:
        return decode_page((folder / record_path(link)).read_bytes())
    except OSError:
        return None


def _model_files(page: ModelPage, assets: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """Every file of a model with its path below the root of the site."""
    for view in page.views:
        yield f"{model_path(page.model)}{view_file(view.name)}", render_view(page, view, dict(assets)).encode()


def _is_current(state: ModelState | None, source: ModelSource, now: float, folder: Path) -> bool:
    if state is None or state.digest != source.digest or not 0 <= now - state.at < MAX_AGE:
        return False
    return all((folder / path).is_file() for path in state.files)


def _code_digest() -> str:
    """Of everything that makes a page from what was read."""
    hashed = hashlib.sha256(f"{__version__} {metadata.version(LIBRARY)}".encode())
    package = Path(__file__).parents[1]
    for path in sorted(path for path in package.rglob("*") if path.suffix in CODE_SUFFIXES):
        hashed.update(f"{path.relative_to(package)}\0".encode() + path.read_bytes())
    return hashed.hexdigest()


def _read_state(folder: Path) -> SiteState:
    """The state of the last build; of a folder that has none, or an unreadable one, that nothing was made."""
    import msgspec

    path = folder / STATE
    try:
        state = typed_json.decode(path.read_bytes(), SiteState)
        return state if state.format == FORMAT else SiteState("")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return SiteState("")
    except FileNotFoundError as error:
        if folder.is_dir() and any(folder.iterdir()) and not (folder / "assets" / "built.js").exists():
            raise UserError(
                "this folder has files that `modelwatch dashboard` did not write.",
                hint="Name an empty or a new folder with --out.",
                where=str(folder),
            ) from error
        return SiteState("")
    except OSError as error:
        raise UserError(f"the site cannot be read: {error.strerror}.", where=str(path)) from error


def _write_state(folder: Path, state: SiteState) -> None:
    import msgspec

    _write(folder / STATE, msgspec.json.encode(state))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"the folder cannot be made: {error.strerror}.", where=str(folder)) from error


def _write(path: Path, content: bytes) -> None:
    """The whole file or nothing."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise UserError(f"the file cannot be written: {error.strerror}.", where=str(path)) from error


def _remove_old(folder: Path, before: Mapping[str, ModelState], now: Mapping[str, ModelState]) -> None:
    """Remove the files of models that are gone, as far as the last build wrote them."""
    current = {path for state in now.values() for path in state.files}
    old: Iterable[str] = {path for state in before.values() for path in state.files} - current
    for path in old:
        _remove(folder, path)


def _is_own(path: str) -> bool:
    """Whether a path that ``state.json`` names can be one of the site's files."""
    return _OWN_PATH.fullmatch(path) is not None and ".." not in PurePosixPath(path).parts


def _remove(folder: Path, path: str) -> None:
    """Remove a file that ``state.json`` names, if it can be one of ours, and its folder, if nothing else is there."""
    if not _is_own(path):
        return
    with suppress(OSError):
        (folder / path).unlink()
    with suppress(OSError):
        (folder / path).parent.rmdir()
