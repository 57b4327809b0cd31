"""Check that every rule of a configuration has a runbook page, and that every page can be reached."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from ..config.resolve import OUR_RUNBOOKS
from ..model.alert import BUSINESS_DIVERGENCE, IMPLAUSIBLE_METRIC, MONITORING_SILENT, RELEASE_RULES, SUDDEN_IMPROVEMENT
from ..model.monitored_model import Model
from .check import check_user_page
from .page import INDEX_FILE, NON_PAGE_FILES, PAGES_DIR, read_page, read_placeholders

if TYPE_CHECKING:
    import click


@dataclass(slots=True)
class CoverageReport:
    """Problems and warnings about the pages of a configuration."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    rule_count: int = 0
    """Rules that have a page, the built-in ones included."""
    user_pages: set[Path] = field(default_factory=set)
    """The user's own pages that were read."""


def check_coverage(models: tuple[Model, ...], root: Path, cli: click.Group, repository: str = "") -> CoverageReport:
    """``root`` is a checkout, of ``repository`` where that is known; pages in other repositories are not checked."""
    report, examples = CoverageReport(), read_placeholders(read_page(PAGES_DIR / INDEX_FILE))
    folders: dict[Path, frozenset[str]] = {}
    for model in models:
        here = not repository or repository == model.github.repository
        for who, kind, address in page_addresses(model):
            report.rule_count += 1
            if problem := _page_problem(address, kind, model, root if here else None, report):
                where = f"{model.where}: " if model.where else ""
                report.problems.append(f"{where}{model.name}: {who}: {problem}")
        base = local_path(model.runbook_base, model.github.repository, root) if here else None
        if base is not None and base.is_dir():
            folders[base] = folders.get(base, frozenset()) | {kind for _, kind, _ in page_addresses(model)}
    for path in sorted(report.user_pages):
        problems, warnings = check_user_page(read_page(path), examples, cli)
        report.problems += problems
        report.warnings += warnings
    for folder, kinds in folders.items():
        report.warnings += unreachable_pages(folder, kinds, report.user_pages)
    return report


def page_addresses(model: Model) -> Iterator[tuple[str, str, str]]:
    """(rule or alert, kind, address of the page) of every rule and of every built-in alert."""
    for rule in model.rules:
        yield f"rule {rule.name!r}", rule.kind, rule.runbook or page_address(model, rule.kind)
    built_in = [MONITORING_SILENT, SUDDEN_IMPROVEMENT, IMPLAUSIBLE_METRIC, *(RELEASE_RULES if model.release else ())]
    built_in += [BUSINESS_DIVERGENCE] if any(rule.kind == "business-metric" for rule in model.rules) else []
    built_in += ["data-quality"] if any(rule.segments for rule in model.rules) else []
    yield from ((f"the alert {kind!r}", kind, page_address(model, kind)) for kind in built_in)


def page_address(model: Model, kind: str) -> str:
    return f"{(model.runbook_base or OUR_RUNBOOKS).rstrip('/')}/{kind}.md"


def _page_problem(link: str, kind: str, model: Model, root: Path | None, report: CoverageReport) -> str:
    """What is wrong with the address of a page; empty where nothing is."""
    if link.startswith(f"{OUR_RUNBOOKS}/"):
        path = builtin_page(link)
        return "" if path else f"modelwatch has no page {link.rpartition('/')[2]}; `kind: {kind}` needs a `runbook:`"
    if root is None:
        return ""
    path = local_path(link, model.github.repository, root)
    if path is None:
        parts = urlsplit(link)
        return "" if parts.scheme in ("http", "https") and parts.netloc else f"its runbook is not a URL: {link}"
    if not path.is_file():
        return f"its runbook does not exist: {path.relative_to(root) if path.is_relative_to(root) else path}"
    report.user_pages.add(path)
    return ""


def builtin_page(link: str) -> Path | None:
    """The built-in page that a link leads to."""
    name = link.removeprefix(f"{OUR_RUNBOOKS}/").partition("#")[0]
    path = PAGES_DIR / name
    return path if link.startswith(OUR_RUNBOOKS) and "/" not in name and path.is_file() else None


def local_path(link: str, repository: str, root: Path) -> Path | None:
    """The file in the checkout that a link names: by a path, or an address in the model's own repository."""
    if not link:
        return None
    if "://" not in link:
        return root / unquote(link.partition("#")[0])
    pattern = rf"https?://[^/]+/{re.escape(repository)}/(?:blob|tree)/[^/]+/([^#?]+)"
    match = re.match(pattern, link) if repository else None
    return root / unquote(match[1]) if match else None


def unreachable_pages(folder: Path, kinds: frozenset[str], reached: set[Path]) -> Iterator[str]:
    """Warnings about pages of a user's folder that neither a kind nor a reachable page leads to."""
    known = {path.resolve() for path in reached} | {(folder / f"{kind}.md").resolve() for kind in kinds}
    known |= {(folder / INDEX_FILE).resolve()}
    queue = [path for path in known if path.is_file()]
    while queue:
        page = read_page(queue.pop())
        targets = {(page.path.parent / unquote(urlsplit(target).path)).resolve() for _, target in page.links()}
        new = {path for path in targets - known if path.suffix == ".md" and path.is_file()}
        known |= new
        queue += new
    for path in sorted(folder.glob("*.md")):
        if path.name not in NON_PAGE_FILES and path.resolve() not in known:
            yield f"{path}: no rule and no other page leads to this page"
