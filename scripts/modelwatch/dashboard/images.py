"""The chart of an alert as a picture, where no page can be shown: PagerDuty's incident."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence

from ..errors import require_extra
from ..report.markdown import plain_line
from .html import EXTRA
from .page import Annotation, TimeChart
from .themes import TOKENS, Theme
from .vega import draw_time_chart, full_spec

WIDTH, SCALE = 640, 2
"""In pixels of the page; PagerDuty shows it on phones of twice the density."""
LINE = 92
"""Characters of a line below the title."""
VEGA_LITE = "6.4"
FONT = "Liberation Sans, Arial, sans-serif"
"""The renderer has no fonts of a browser, and knows this one everywhere."""


def chart_png(panel: TimeChart, title: str, annotations: Sequence[Annotation] = ()) -> bytes:
    """The chart under its ``title`` and its sentence, on white; outside text is no more than text there."""
    with require_extra(EXTRA):
        import vl_convert
    chart = draw_time_chart(panel, annotations)
    spec = full_spec(chart, Theme.LIGHT, WIDTH)
    tokens = TOKENS[Theme.LIGHT]
    spec["title"] = {
        "text": textwrap.wrap(plain_line(title, 160), LINE - 16),
        "subtitle": textwrap.wrap(plain_line(panel.sentence, 400), LINE),
        "anchor": "start",
        "fontSize": 15,
        "color": tokens["@text"],
        "subtitleColor": tokens["@muted"],
        "subtitleFontSize": 12,
        "offset": 10,
    }
    spec["config"] = {**spec["config"], "font": FONT, "padding": 14}
    png: bytes = vl_convert.vegalite_to_png(json.dumps(spec), vl_version=VEGA_LITE, scale=SCALE)
    return png
