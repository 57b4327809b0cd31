"""Pages as HTML: Jinja2 with every text escaped, data as JSON that no text can end.

https://jinja.palletsprojects.com/en/stable/api/#autoescaping
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..report.formatting import duration
from ..report.markdown import plain_line, safe_url
from ..timeutil import format_iso, format_utc
from .page import AlertPage, FleetPage, FleetRow, ModelPage, Panel, TimeChart, View, ViewName
from .vega import Chart, charts_of

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

EXTRA = "dashboard"
MAX_TEXT = 600
"""Characters of a text that are shown."""
MAX_CELL = 160
"""Of a text in a row of the fleet; the page of the model has all of it."""
SPARK_WIDTH, SPARK_HEIGHT = 240, 48
VIEW_TITLES = {
    ViewName.DATA_SCIENCE: "Data science",
    ViewName.BUSINESS: "Business",
    ViewName.OPERATIONS: "Operations",
    ViewName.GROUND_TRUTH: "Ground truth",
}
HEALTH_WORDS = {"red": "Red", "yellow": "Yellow", "green": "Green", "grey": "No data"}
"""What stands beside the colour."""
KIND_WORDS = {
    "deployment": "Deployment",
    "move": "Move",
    "incident": "Incident",
    "data-problem": "Data problem",
    "silence": "Silence",
    "calendar": "Calendar",
    "person": "Note",
}


def view_file(name: ViewName) -> str:
    """The file of a view in the model's folder."""
    return "index.html" if name is ViewName.DATA_SCIENCE else f"{name}.html"


def render_fleet(page: FleetPage, assets: dict[str, str]) -> str:
    """``assets``: names of the files in ``assets/``, by what they are."""
    owners = sorted({row.owner for row in page.rows if row.owner})
    counts = {word: sum(row.health == word for row in page.rows) for word in HEALTH_WORDS}
    return _render("fleet.html", page=page, owners=owners, counts=counts, assets=assets, root="", as_of=page.as_of)


def render_view(page: ModelPage, view: View, assets: dict[str, str]) -> str:
    """One of the four pages of a model."""
    drawn = {panel.id: charts_of(panel, page.annotations) for panel in (*view.critical, *view.others, *view.folded)}
    tabs = [(VIEW_TITLES[name], view_file(name), name is view.name) for name in ViewName]
    return _render(
        "model.html",
        page=page,
        view=view,
        title=VIEW_TITLES[view.name],
        tabs=tabs,
        drawn=drawn,
        assets=assets,
        root="../../",
        as_of=page.as_of,
    )


def render_alert(page: AlertPage, assets: dict[str, str]) -> str:
    """The permalink of an alert."""
    drawn = {panel.id: charts_of(panel, page.annotations) for panel in page.charts}
    has_picture = bool(page.charts) and isinstance(page.charts[0], TimeChart)
    picture = PurePosixPath(page.link.page).with_suffix(".png").name if has_picture and page.link.page else ""
    return _render(
        "alert.html", page=page, drawn=drawn, picture=picture, assets=assets, root="../../../", as_of=page.as_of
    )


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("modelwatch.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_as_text,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "url": safe_url,
        "path": quote,
        "time": _time_element,
        "since": _since_element,
        "inline": inline_code,
        "json": script_json,
        "chart": chart_json,
        "sparkline": sparkline,
        "short": lambda text: plain_line(text, MAX_CELL),
        "panel_kind": lambda panel: type(panel).__name__,
    }
    environment.globals |= {"health_words": HEALTH_WORDS, "kind_words": KIND_WORDS}
    return environment


def _as_text(value: object) -> object:
    """Texts lose characters that are invisible or turn the direction of writing."""
    if type(value) is str:
        return plain_line(value, MAX_TEXT)
    return "" if value is None else value


def _markup(text: str) -> Markup:
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - of numbers and times only, or of JSON whose signs are escaped


def inline_code(text: object) -> Markup:
    """A text in which what stands between backticks is code."""
    from markupsafe import Markup, escape

    parts = plain_line(str(text), MAX_TEXT).split("`")
    if len(parts) % 2 == 0:  # a backtick without its other half
        return Markup(escape("`".join(parts)))  # noqa: S704 - escaped
    cells = (Markup("<code>{}</code>").format(part) if place % 2 else escape(part) for place, part in enumerate(parts))
    return Markup("").join(cells)


def _time_element(time: float | None) -> Markup | str:
    """The time in UTC; the page's script writes how long ago that is."""
    return "" if time is None else _markup(f'<time datetime="{format_iso(time)}">{format_utc(time)}</time>')


def _since_element(time: float | None, now: float) -> Markup | str:
    """How long something has lasted, with the time at hand."""
    if time is None:
        return ""
    lasted = duration(max(0.0, now - time))
    return _markup(f'<time class="ago" datetime="{format_iso(time)}">{lasted}</time>')


def script_json(value: object) -> Markup:
    """JSON for a ``<script>``: no ``<``, ``>`` or ``&`` in it, and no line separator of Unicode."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return _markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def chart_json(chart: Chart, panel: Panel) -> Markup:
    """All that the page's script needs to draw a chart."""
    unit = getattr(panel, "unit", "")
    kind = "small" if chart.is_small_multiple else "time" if chart.is_over_time else "plain"
    return script_json({"kind": kind, "unit": unit, "spec": chart.spec, **chart.data.as_json()})


def sparkline(row: FleetRow) -> Markup | str:
    """The row's trend as a line in SVG, whose gaps stay gaps; nothing where there are not two values."""
    known = [value for value in row.trend if value is not None]
    if len(known) < 2:
        return ""
    low, high = min(known), max(known)
    across, up = SPARK_WIDTH / (len(row.trend) - 1), (SPARK_HEIGHT - 6) / ((high - low) or 1.0)
    path, last = list[str](), None
    for place, value in enumerate(row.trend):
        if value is None:
            last = None
            continue
        x, y = round(place * across), round(SPARK_HEIGHT - 3 - (value - low) * up)
        path.append(f"M{x} {y}l" if last is None else f"{x - last[0]} {y - last[1]} ")
        last = x, y
    view = f'viewBox="0 0 {SPARK_WIDTH} {SPARK_HEIGHT}" aria-hidden="true"'
    return _markup(f'<svg class="spark" {view}><path d="{"".join(path)}"/></svg>')
