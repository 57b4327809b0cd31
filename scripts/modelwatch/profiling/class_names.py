"""The names of classes: one class has one name, however its cells are typed or spelled; and the positive one of two."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..model.prediction_log import MeasureSpec
from ..stats.profile.categorical import shorten_category

_WHOLE_NUMBER = re.compile(r"([+-]?\d+)\.0*")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_DIGIT_OF_WORD = {"false": "0", "true": "1"}
BINARY_WORDS = (("0", "1"), ("false", "true"), ("no", "yes"))
"""Names of two classes, the positive one last."""
_POSITIVE_WORDS = {frozenset(pair): pair[1] for pair in BINARY_WORDS}


class ClassNames:
    """Gives each cell of a label or prediction the name of its class.

    Spaces around it do not count; ``1.0`` is ``1``, and ``True`` is ``true``. Among known classes ``true`` is ``1``
    where only ``1`` is known, and the reverse. A class that is known keeps the spelling in which it is known.
    """

    def __init__(self, known: Iterable[str] = (), *, ignore_case: bool = False) -> None:
        self._ignore_case = ignore_case
        self._names = {self._normalize(name): name for name in known}
        for word, digit in _DIGIT_OF_WORD.items():
            for spelling, other in ((word, digit), (digit, word)):
                if spelling in self._names:
                    self._names.setdefault(other, self._names[spelling])

    def __call__(self, cell: str) -> str:
        name = self._normalize(cell)
        return self._names.get(name, name)

    def _normalize(self, cell: str) -> str:
        cell = shorten_category(cell.strip())
        if number := _WHOLE_NUMBER.fullmatch(cell):
            return number[1]
        return cell.lower() if self._ignore_case or cell.lower() in _DIGIT_OF_WORD else cell


def merge_booleans(names: Iterable[str]) -> tuple[str, ...]:
    """The classes among the names of labels, sorted: where some are written ``true`` and some ``1``, each once."""
    classes = set(names)
    if classes & set(_DIGIT_OF_WORD) and classes <= {*_DIGIT_OF_WORD, *_DIGIT_OF_WORD.values()}:
        by_digit = {digit: word for word, digit in _DIGIT_OF_WORD.items()}
        classes = {by_digit.get(name, name) for name in classes}
    return tuple(sorted(classes))


def mixed_spellings(classes: Iterable[str]) -> tuple[list[str], list[str]]:
    """The classes, sorted, in two spellings: where two of them are numbers and two words, or two pairs of words such as
    ``no`` and ``yes``. Both empty where the classes are spelled in one way."""
    names = sorted(classes)
    numbers = [name for name in names if _NUMBER.fullmatch(name)]
    words = [name for name in names if name not in numbers]
    if len(numbers) >= 2 and len(words) >= 2:
        return numbers, words
    pairs = [[name for name in names if name.lower() in pair] for pair in _POSITIVE_WORDS]
    complete = [pair for pair in pairs if len(pair) == 2]
    return (complete[0], complete[1]) if len(complete) == 2 else ([], [])


def positive_class(classes: Sequence[str], spec: MeasureSpec) -> str:
    """Which of two classes is the positive one: the one that ``positive`` names, the only one that has a column of
    scores, or 1, true or yes. Empty if nothing says so, or if there are not two classes."""
    if len(classes) != 2:
        return ""
    names = ClassNames(classes, ignore_case=spec.ignore_case)
    scored = {names(name) for name, _ in spec.scores} & set(classes)
    if spec.positive:
        positive = names(spec.positive)
    elif len(scored) == 1:
        positive = scored.pop()
    else:
        by_word = {name.lower(): name for name in classes}
        positive = by_word.get(_POSITIVE_WORDS.get(frozenset(by_word), ""), "")
    return positive if positive in classes else ""
