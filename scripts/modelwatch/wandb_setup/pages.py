"""Views and reports as ``wandb-workspaces`` writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import require_extra
from ..report.markdown import code
from .charts import Chart, ChartSection
from .desired_state import DesiredModel, Page, to_markdown
from .expressions import can_be_named, plain_number
from .ownership import Mark, content_digest

WIDTH, HEIGHT, COLUMNS = 12, 8, 2
"""Of a chart in a report, whose grid is 24 wide; and how many stand side by side."""
_X_AXIS = "WallTime"
_BUILT_IN_NAMES = frozenset(
    (
        *(
            "ID",
            "Name",
            "Tags",
            "State",
            "CreatedTimestamp",
            "Runtime",
            "User",
            "Sweep",
            "Group",
            "JobType",
            "Hostname",
        ),
        *("UsingArtifact", "OutputtingArtifact", "Step", "RelativeTime(Wall)", "RelativeTime(Process)", "WallTime"),
    )
)
"""Keys that ``wandb-workspaces`` takes for something else; a regular expression names them unmistakably."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A view or a report that is ready to be written, as often as needed."""

    digest: str
    """Of what is written, without the mark."""
    save: Callable[[Mark], SavedPage]


@dataclass(frozen=True, slots=True)
class SavedPage:
    id: str
    address: str


def require_workspaces() -> None:
    """Raises MissingExtraError where the library that writes views and reports is not installed."""
    with require_extra("workspaces"):
        import wandb_workspaces  # noqa: F401


def draft_view(model: DesiredModel, page: Page, name: str, id: str) -> Draft:
    """``name`` is the view's internal one; ``id`` that of the view that is replaced, empty for a new one."""
    from wandb_workspaces import workspaces
    from wandb_workspaces.reports.v2 import MarkdownPanel

    about = MarkdownPanel(markdown=to_markdown(page))
    panels: dict[str, list[Any]] = {"About": [about]}
    for section in page.sections:
        panels[section.audience] = [MarkdownPanel(markdown=_introduction(section)), *map(_line_plot, section.charts)]
    settings = workspaces.SectionPanelSettings(x_axis=_X_AXIS)
    sections = [
        workspaces.Section(name=str(name), panels=found, is_open=True, panel_settings=settings)
        for name, found in panels.items()
    ]
    workspace = workspaces.Workspace(
        entity=model.entity,
        project=model.project,
        name=page.title,
        sections=sections,
        settings=workspaces.WorkspaceSettings(x_axis=_X_AXIS),
        runset_settings=workspaces.RunsetSettings(filters=page.runs.expression),
    )
    workspace._internal_name, workspace._internal_id = name, id

    def save(mark: Mark) -> SavedPage:
        about.markdown = f"{to_markdown(page)}\n\n{mark}"
        workspace.save()
        return SavedPage(str(workspace._internal_id), str(workspace.url))

    return Draft(content_digest(page.title, "", _json_of(workspace)), save)


def draft_report(model: DesiredModel, page: Page, id: str) -> Draft:
    """``id`` is that of the report that is replaced, empty for a new one. Asks W&B for the id of the project."""
    from wandb_workspaces.reports import v2

    blocks = [v2.MarkdownBlock(text=to_markdown(page)), v2.TableOfContents()]
    for section in page.sections:
        blocks += [v2.H1(str(section.audience)), v2.MarkdownBlock(text=_introduction(section))]
        runset = v2.Runset(entity=model.entity, project=model.project, name="Serving", filters=page.runs.expression)
        blocks.append(v2.PanelGrid(runsets=[runset], panels=list(_grid(section))))
    report = v2.Report(
        entity=model.entity, project=model.project, title=page.title, description="", blocks=blocks, width="fluid"
    )
    report.id = id

    def save(mark: Mark) -> SavedPage:
        report.description = str(mark)
        report.save()
        return SavedPage(str(report.id), str(report.url))

    return Draft(content_digest(page.title, "", _json_of(report)), save)


def _json_of(thing: Any) -> str:
    """What ``save`` sends as the specification."""
    text: str = thing._to_model().spec.model_dump_json(by_alias=True, exclude_none=True)
    return text


def _introduction(section: ChartSection) -> str:
    more = [f"Not shown: {', '.join(map(code, section.left_out))}."] if section.left_out else []
    return "\n\n".join([section.question, *more])


def _grid(section: ChartSection) -> Iterator[Any]:
    from wandb_workspaces.reports.v2 import Layout

    for place, chart in enumerate(section.charts):
        panel = _line_plot(chart)
        panel.layout = Layout(x=place % COLUMNS * WIDTH, y=place // COLUMNS * HEIGHT, w=WIDTH, h=HEIGHT)
        yield panel


def _line_plot(chart: Chart) -> Any:
    from wandb_workspaces.reports.v2 import LinePlot

    pattern = chart.pattern
    if chart.key in _BUILT_IN_NAMES and not chart.expression:
        pattern = f"^{chart.key.replace('(', '[(]').replace(')', '[)]')}$"
    lines = [*([chart.expression] if chart.expression else []), *constant_lines(chart)]
    keys = [] if pattern or chart.expression else [chart.key]
    return LinePlot(
        title=chart.title, x=_X_AXIS, y=keys, metric_regex=pattern or None, custom_expressions=lines or None
    )


def constant_lines(chart: Chart) -> list[str]:
    """A line at each level: W&B draws expressions of a key only, so it is computed from that key."""
    if not chart.key or not can_be_named(chart.key):
        return []
    return [f"${{{chart.key}}} * 0 {'-' if level < 0 else '+'} {plain_number(abs(level))}" for level in chart.levels]
