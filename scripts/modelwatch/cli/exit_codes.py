"""The exit codes of commands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..errors import Exit
from ..model.severity import Severity

if TYPE_CHECKING:
    from ..model.alert import Judgement
    from ..model.plan import Plan, Receipts
    from ..model.series import FailureScope
    from ..pipeline import RunResult

SEVERITY_EXIT_CODES = {Severity.WARNING: Exit.WARNING, Severity.ERROR: Exit.ERROR, Severity.CRITICAL: Exit.CRITICAL}


def source_exit_code(failed: Iterable[FailureScope]) -> Exit:
    """3 where a source failed; 2 where it is only that the configuration names what is not there."""
    scopes = list(failed)
    if not scopes:
        return Exit.OK
    return Exit.USAGE if all(scope.is_name for scope in scopes) else Exit.SOURCE_DOWN


def judgement_exit_code(judgement: Judgement, report_findings: bool) -> Exit:
    """That of the sources that failed; else, with ``report_findings``, 10 to 12 by the worst firing alert."""
    if judgement.failures:
        return source_exit_code(failure.scope for failure in judgement.failures)
    worst = judgement.worst_severity if report_findings else None
    return SEVERITY_EXIT_CODES.get(worst, Exit.OK) if worst else Exit.OK


def receipts_exit_code(plan: Plan, receipts: Receipts) -> Exit:
    """4 where something failed or was refused, or a target could not even be observed."""
    return Exit.PARTIAL if receipts.has_failures or plan.troubles else Exit.OK


def result_exit_code(result: RunResult, report_findings: bool = False) -> Exit:
    """The exit code of the receipts, if there are any, or of a plan for which a target could not be observed; else that
    of the judgement."""
    if result.receipts:
        code = receipts_exit_code(result.plan, result.receipts)
    else:
        code = Exit.PARTIAL if result.plan.troubles else Exit.OK
    return code or judgement_exit_code(result.judgement, report_findings)


def list_done(receipts: Receipts | None) -> list[str] | None:
    """What was done, for ``runner.reporting``; ``None`` where nothing was applied."""
    from ..model.plan import ChangeResult  # a check needs no plan

    if receipts is None:
        return None
    done = [receipt for receipt in receipts.receipts if receipt.result is ChangeResult.DONE]
    return [f"{receipt.kind} of {receipt.model} {receipt.url}".rstrip() for receipt in done]
