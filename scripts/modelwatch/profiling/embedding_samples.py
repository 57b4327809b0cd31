"""Embeddings and texts: from Arrow columns to samples, and how far a sample moved from that of the reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import require_extra
from ..model.keys import escape_label
from ..model.prediction_log import MeasureSpec
from ..stats.profile.bottom_k_sketches import MAX_TEXT_CHARACTERS, Hashes, SampleProfile, max_rows_for
from ..stats.profile.table import TableProfile
from .arrow_columns import decode_dictionary, hash_ids, is_text_type, splitmix64
from .quality import Scalars, excess

TEXT_DIMENSIONS = 32
"""Directions of greatest spread in which texts are compared."""


def embedding_width(array: Any) -> int:
    """The most frequent length of the lists in a column; 0 where there are none."""
    if not _is_list(array):
        return 0
    lengths, counts = np.unique(_list_lengths(array)[_valid_mask(array)], return_counts=True)
    return int(lengths[np.argmax(counts)]) if len(lengths) else 0


def sample_columns(rows: Any, spec: MeasureSpec, widths: Mapping[str, int]) -> dict[str, SampleProfile]:
    """By column the sample of a record batch; a column that the batch lacks is missing in every row."""
    keys = _row_keys(rows, spec)
    found = {}
    for name in spec.sampled_columns:
        width = widths.get(name, 0) if name in spec.embeddings else 0
        if name not in rows.schema.names:
            found[name] = SampleProfile.of(keys[:0], np.zeros((0, width)), missing=rows.num_rows)
        elif name in spec.embeddings:
            found[name] = _sample_embeddings(rows.column(name), keys, width)
        else:
            found[name] = _sample_texts(decode_dictionary(rows.column(name)), keys)
    return found


def _sample_embeddings(array: Any, keys: Hashes, width: int) -> SampleProfile:
    there = _valid_mask(array)
    missing = int((~there).sum())
    if not _is_list(array) or not width:
        return SampleProfile.of(keys[:0], np.zeros((0, width)), missing=missing, other_types=int(there.sum()))
    import pyarrow as pa

    places = np.flatnonzero(there & (_list_lengths(array) == width))
    flat = array.take(pa.array(places)).flatten().cast(pa.float32(), safe=False)
    table = flat.to_numpy(zero_copy_only=False).reshape(-1, width)
    whole = np.isfinite(table).all(axis=1)
    table, places = table[whole], places[whole]
    factors = splitmix64(np.arange(1, width + 1, dtype=np.uint64)) | np.uint64(1)
    content = np.zeros(len(table), dtype=np.uint64)
    bits = (table + np.float32(0.0)).view(np.uint32)
    for column in range(width):
        content += bits[:, column] * factors[column]
    other = len(keys) - missing - len(places)
    return SampleProfile.of(splitmix64(content ^ keys[places]), table.astype(np.float64), (), missing, other)


def _sample_texts(array: Any, keys: Hashes) -> SampleProfile:
    import pyarrow as pa
    import pyarrow.compute as pc

    there = _valid_mask(array)
    if not is_text_type(array.type):
        missing = int((~there).sum())
        return SampleProfile.of(keys[:0], np.zeros((0, 0)), (), missing, len(keys) - missing)
    there &= np.asarray(pc.greater(pc.utf8_length(array), 0).fill_null(False).to_numpy(zero_copy_only=False))
    places = np.flatnonzero(there)
    some = array.take(pa.array(places))
    content, _ = hash_ids(some)
    number = splitmix64(content ^ keys[places])
    # Texts are long: only those that may be kept leave Arrow.
    least = np.unique(number, return_index=True)[1][: max_rows_for(0)]
    texts = tuple(text[:MAX_TEXT_CHARACTERS] for text in some.take(pa.array(least)).to_pylist())
    kept = SampleProfile.of(number[least], np.zeros((len(least), 0)), texts)
    return SampleProfile(kept.hashes, kept.rows, kept.texts, len(places), len(keys) - len(places), 0)


def _row_keys(rows: Any, spec: MeasureSpec) -> Hashes:
    """What tells rows of one content apart: their ids, else their times; 0 for each where there are neither."""
    import pyarrow as pa

    for name in filter(None, (spec.id, spec.time)):
        if name in rows.schema.names:
            column = decode_dictionary(rows.column(name))
            texts = column if is_text_type(column.type) else column.cast(pa.string())
            return hash_ids(texts.fill_null(""))[0]
    return np.zeros(rows.num_rows, dtype=np.uint64)


def _is_list(array: Any) -> bool:
    import pyarrow as pa

    kind = array.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        return False
    inner = kind.value_type
    return bool(pa.types.is_floating(inner) or pa.types.is_integer(inner))


def _valid_mask(array: Any) -> NDArray[np.bool_]:
    return np.array(array.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)


def _list_lengths(array: Any) -> NDArray[np.int64]:
    import pyarrow.compute as pc

    found: NDArray[np.int64] = pc.list_value_length(array).fill_null(-1).to_numpy(zero_copy_only=False)
    return found


def sample_quality(table: TableProfile, reference: TableProfile | None) -> Iterator[tuple[str, Scalars]]:
    """Missing and unusable cells, as of other columns."""
    for name, sample in table.samples.items():
        found: Scalars = {"n": float(sample.cells_seen)}
        known = reference.samples.get(name) if reference else None
        for what, count in (("missing", sample.missing), ("type", sample.other_types)):
            if sample.cells_seen:
                found[f"{what}_rate"] = count / sample.cells_seen
            if sample.cells_seen and known and known.cells_seen:
                usual = known.missing if what == "missing" else known.other_types
                found[f"{what}_excess"] = excess(count, sample.cells_seen, usual, known.cells_seen)
        yield name, found


def embedding_drift(table: TableProfile, reference: TableProfile | None) -> Iterator[tuple[str, float]]:
    """How well the reference is told from this, and their discrepancy; ``n``: rows that were looked at.

    Raises UserError where scikit-learn is missing.
    """
    for name, sample in table.samples.items():
        known = reference.samples.get(name) if reference else None
        if known is None or not len(known.hashes) or not len(sample.hashes):
            continue
        with require_extra("profiling"):
            import sklearn  # noqa: F401
        from ..stats.embeddings import domain_classifier, mmd

        usual, now = (known.rows, sample.rows) if sample.width else _vectorize_texts(known.texts, sample.texts)
        head = f"features/{escape_label(name)}"
        yield f"{head}/classifier_auc", domain_classifier(usual, now)
        yield f"{head}/mmd", mmd(usual, now)
        yield f"{head}/n", float(len(now))


def _vectorize_texts(
    reference: tuple[str, ...], now: tuple[str, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Texts by their runs of 2 to 4 characters, hashed, in the directions in which both together spread most."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import HashingVectorizer

    hashed = HashingVectorizer(analyzer="char_wb", ngram_range=(2, 4), n_features=1 << 14, alternate_sign=False)
    counts = hashed.transform([*reference, *now])
    directions = TruncatedSVD(n_components=min(TEXT_DIMENSIONS, counts.shape[0]), random_state=0)
    dense = np.asarray(directions.fit_transform(counts), dtype=np.float64)
    return dense[: len(reference)], dense[len(reference) :]
