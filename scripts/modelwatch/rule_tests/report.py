"""The results of rule tests as text for a terminal, as JSON, and as JUnit XML for CI."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring  # nosec B405 - writes XML, reads none

from ..report.markdown import plain_line
from .cases import RuleTestResult
from .suite import FileResult

MAX_LINE = 500
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def result_lines(result: RuleTestResult) -> Iterator[str]:
    """One test: whether it passed; of one that failed what was expected and found, what happened, and the series."""
    if result.passed:
        yield f"  ok    {_line(result.test.name)}"
        return
    yield f"  FAIL  {_line(result.test.name)} ({result.test.where})"
    if result.error:
        yield f"        {_line(result.error)}"
    for check in result.checks:
        for problem in check.problems:
            yield f"        {check.check.where}: {_line(problem)}"
    for title, lines in (("what happened", result.history), ("series", result.samples)):
        if lines:
            yield f"        {title}:"
            yield from (f"          {_line(line, keeps_blanks=True)}" for line in lines)
    if not result.history and not result.error:
        yield "        what happened: nothing fired, and nothing was done"


def summary_line(files: Sequence[FileResult], seconds: float) -> str:
    """How many tests failed, and how long all took."""
    results = [result for file in files for result in file.results]
    failed = sum(not result.passed for result in results)
    tests = "1 test" if len(results) == 1 else f"{len(results)} tests"
    return f"{tests}, {failed or 'none'} failed, in {seconds:.1f} s."


def failure_texts(files: Iterable[FileResult]) -> Iterator[tuple[str, str]]:
    """``(file:line:column, text)`` of every check that failed, and of every test that could not be run."""
    for file in files:
        for result in file.results:
            if result.error:
                yield result.test.where, _visible(f"{result.test.name}: {result.error}")
            for check in result.checks:
                texts = (_visible(f"{result.test.name}: {problem}") for problem in check.problems)
                yield from ((check.check.where, text) for text in texts)


def to_json(files: Sequence[FileResult]) -> dict[str, Any]:
    """For scripts."""
    return {
        "files": [
            {
                "path": str(file.path),
                "config": str(file.config),
                "tests": [_test_json(result) for result in file.results],
            }
            for file in files
        ],
        "passed": all(result.passed for file in files for result in file.results),
    }


def _test_json(result: RuleTestResult) -> dict[str, Any]:
    return {
        "name": result.test.name,
        "model": result.test.model,
        "where": result.test.where,
        "passed": result.passed,
        "error": result.error,
        "checks": [
            {"where": check.check.where, "passed": not check.problems, "problems": list(check.problems)}
            for check in result.checks
        ],
        "history": list(result.history),
        "seconds": round(result.seconds, 3),
    }


def to_junit(files: Sequence[FileResult]) -> bytes:
    """JUnit XML as CI systems read it: one ``testsuite`` a file, one ``testcase`` a test."""
    root = Element("testsuites", name="modelwatch test")
    for file in files:
        failed = [result for result in file.results if not result.passed and not result.error]
        suite = SubElement(
            root,
            "testsuite",
            name=_xml(str(file.path)),
            tests=str(len(file.results)),
            failures=str(len(failed)),
            errors=str(sum(bool(result.error) for result in file.results)),
            time=f"{sum(result.seconds for result in file.results):.3f}",
        )
        for result in file.results:
            case = SubElement(
                suite,
                "testcase",
                name=_xml(result.test.name),
                classname=_xml(result.test.model),
                file=_xml(str(file.path)),
                time=f"{result.seconds:.3f}",
            )
            if not result.passed:
                problems = [problem for check in result.checks for problem in check.problems]
                first = result.error or problems[0]
                node = SubElement(case, "error" if result.error else "failure", message=_xml(_line(first)))
                node.text = _xml("\n".join(result_lines(result)))
    indent(root)
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _line(text: str, *, keeps_blanks: bool = False) -> str:
    if keeps_blanks:
        return "  ".join(plain_line(part, MAX_LINE) for part in text.split("  ") if part.strip())
    return plain_line(text, MAX_LINE)


def _visible(text: str) -> str:
    """``text`` without what a terminal obeys, or what changes the order in which people read it."""
    hidden = {char for char in text if unicodedata.category(char) in ("Cc", "Cf") and char not in "\t\n"}
    return "".join("\N{REPLACEMENT CHARACTER}" if char in hidden else char for char in text)


def _xml(text: str) -> str:
    """``text`` without what is hidden, and without characters that XML cannot hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", _visible(text))
