"""Which columns of a log can be inputs of a model, judged by a sample of their cells: no ids, times or free text."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

import numpy as np

from ..stats.arrays import Floats
from ..timeutil import EPOCH_MAGNITUDES, parse_time_text
from .arrow_columns import count_texts, decode_dictionary, is_text_type, parse_number_or_nan, parse_numbers

MIN_CELLS = 100
"""With fewer cells a column is an input: too few to tell."""
MAX_DISTINCT_SHARE = 0.5
"""Texts of which more are different are ids or free text."""
CHECKED_ROWS, CHECKED_TEXTS = 2_000, 50
FIRST_TIME, LAST_TIME = 946_684_800.0, 4_102_444_800.0
"""2000 and 2100, seconds (UTC): whole numbers in between can be times."""
_TIME_NAME = re.compile(
    r"(.*[_\W])?(time|date|timestamp|datetime|ts|at)([_\W](s|ms|us|ns|utc))?|.*(Time|Date|Timestamp|At)"
)
_ID_NAME = re.compile(r"(.*[_\W])?(id|uuid|guid|key|index|row|rowid|hash)|.*(Id|ID|Uuid|UUID|Key)|Unnamed: \d+")
_PARTITION_NAME = re.compile(r"year|month|day|hour|dt|ds")


def reason_not_an_input(name: str, array: Any) -> str:
    """Why a column is no input of a model; empty if it can be one."""
    import pyarrow as pa

    array = decode_dictionary(array)
    kind, filled = array.type, len(array) - array.null_count
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "it holds times"
    if filled < MIN_CELLS:
        return ""
    if is_text_type(kind):
        return _reason_of_texts(name, array.drop_null())
    return _reason_of_numbers(name, parse_numbers(array)[0]) if pa.types.is_integer(kind) else ""


def _reason_of_texts(name: str, cells: Any) -> str:
    """By the first texts, as far as they tell: counting all of them takes as long as the plan of the column."""
    texts = list(islice(count_texts(cells[:CHECKED_ROWS])[0], CHECKED_TEXTS))
    numbers = [parse_number_or_nan(text) for text in texts]
    if not np.isnan(numbers).any():
        if _PARTITION_NAME.fullmatch(name):
            return "it holds times"
        is_whole = all(number.is_integer() for number in numbers)
        return _reason_of_numbers(name, parse_numbers(cells)[0]) if is_whole else ""
    if sum(map(_is_time, texts, numbers)) > len(texts) * 0.9:
        return "it holds times"
    distinct = len(cells.dictionary_encode().dictionary)
    return "most rows have a text of their own" if distinct > MAX_DISTINCT_SHARE * len(cells) else ""


def _is_time(text: str, number: float) -> bool:
    """Of a text in a column that holds others than numbers: a small number is no time."""
    seconds = parse_time_text(text)
    return seconds is not None and (np.isnan(number) or FIRST_TIME <= seconds < LAST_TIME)


def _reason_of_numbers(name: str, values: Floats) -> str:
    whole = values[np.isfinite(values)]
    if not len(whole) or (whole != np.floor(whole)).any():
        return ""
    if _TIME_NAME.fullmatch(name):
        units = (1.0, *(unit for _, unit in EPOCH_MAGNITUDES))
        if any(((whole / unit > FIRST_TIME) & (whole / unit < LAST_TIME)).all() for unit in units):
            return "it holds times"
    is_id = _ID_NAME.fullmatch(name) and len(np.unique(whole)) > MAX_DISTINCT_SHARE * len(whole)
    is_range = whole.max() - whole.min() + 1 == len(whole) == len(np.unique(whole))
    return "it numbers the rows" if is_id or is_range or (np.diff(whole) > 0).all() else ""
