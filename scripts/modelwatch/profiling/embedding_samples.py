"""Samples of embedding and text columns, their quality, and how far they drifted from the reference's sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..errors import require_extra
from ..model.keys import escape_label
from ..model.prediction_log import MeasureSpec
from ..stats.arrays import Floats, Hashes, Ints
from ..stats.profile.bottom_k_sketches import MAX_TEXT_CHARACTERS, SampleProfile, max_rows_for
from ..stats.profile.table import TableProfile
from .arrow_columns import decode_dictionary, hash_ids, is_text_type, splitmix64, to_arrow, to_mask, to_numpy
from .quality import Scalars, excess

TEXT_DIMENSIONS = 32
"""Principal directions in which texts are compared."""


def embedding_width(array: Any) -> int:
    """The most frequent length of the lists in a column; 0 if it has none."""
    if not _is_list(array):
        return 0
    lengths, counts = np.unique(_list_lengths(array)[to_mask(array.is_valid())], return_counts=True)
    return int(lengths[np.argmax(counts)]) if len(lengths) else 0


def sample_columns(rows: Any, spec: MeasureSpec, widths: Mapping[str, int]) -> dict[str, SampleProfile]:
    """The sample of each column of a record batch; a column that the batch lacks is missing in every row."""
    keys = _row_keys(rows, spec)
    samples = {}
    for name in spec.sampled_columns:
        width = widths.get(name, 0) if name in spec.embeddings else 0
        if name not in rows.schema.names:
            samples[name] = SampleProfile.of(keys[:0], np.zeros((0, width)), missing=rows.num_rows)
        elif name in spec.embeddings:
            samples[name] = _sample_embeddings(rows.column(name), keys, width)
        else:
            samples[name] = _sample_texts(decode_dictionary(rows.column(name)), keys)
    return samples


def _sample_embeddings(array: Any, keys: Hashes, width: int) -> SampleProfile:
    valid = to_mask(array.is_valid())
    missing = int((~valid).sum())
    if not _is_list(array) or not width:
        return SampleProfile.of(keys[:0], np.zeros((0, width)), missing=missing, other_types=int(valid.sum()))
    import pyarrow as pa

    rows = np.flatnonzero(valid & (_list_lengths(array) == width))
    flat = array.take(to_arrow(rows)).flatten().cast(pa.float32(), safe=False)
    vectors = flat.to_numpy(zero_copy_only=False).reshape(-1, width)
    finite = np.isfinite(vectors).all(axis=1)
    vectors, rows = vectors[finite], rows[finite]
    factors = splitmix64(np.arange(1, width + 1, dtype=np.uint64)) | np.uint64(1)
    content = np.zeros(len(vectors), dtype=np.uint64)
    bits = (vectors + np.float32(0.0)).view(np.uint32)
    for column in range(width):
        content += bits[:, column] * factors[column]
    other = len(keys) - missing - len(rows)
    return SampleProfile.of(splitmix64(content ^ keys[rows]), vectors.astype(np.float64), (), missing, other)


def _sample_texts(array: Any, keys: Hashes) -> SampleProfile:
    import pyarrow.compute as pc

    if not is_text_type(array.type):
        return SampleProfile.of(keys[:0], np.zeros((0, 0)), (), array.null_count, len(keys) - array.null_count)
    rows = np.flatnonzero(to_mask(pc.greater(pc.utf8_length(array), 0).fill_null(False)))
    texts = array.take(to_arrow(rows))
    hashes = splitmix64(hash_ids(texts)[0] ^ keys[rows])
    # Texts are long: only those that the sample can hold leave Arrow.
    smallest = np.unique(hashes, return_index=True)[1][: max_rows_for(0)]
    shortened = tuple(text[:MAX_TEXT_CHARACTERS] for text in texts.take(to_arrow(smallest)).to_pylist())
    sample = SampleProfile.of(hashes[smallest], np.zeros((len(smallest), 0)), shortened)
    return SampleProfile(sample.hashes, sample.rows, sample.texts, len(rows), len(keys) - len(rows), 0)


def _row_keys(rows: Any, spec: MeasureSpec) -> Hashes:
    """A hash that distinguishes rows of equal content: of their ids, else of their times; 0 if there are neither."""
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


def _list_lengths(array: Any) -> Ints:
    import pyarrow.compute as pc

    lengths: Ints = to_numpy(pc.list_value_length(array).fill_null(-1))
    return lengths


def sample_quality(table: TableProfile, reference: TableProfile | None) -> Iterator[tuple[str, Scalars]]:
    """By column the missing and unusable cells, with the same names as for other columns."""
    for name, sample in table.samples.items():
        cells = sample.cells_seen
        scalars: Scalars = {"n": float(cells)}
        known = reference.samples.get(name) if reference else None
        if cells:
            scalars |= {"missing_rate": sample.missing / cells, "type_rate": sample.other_types / cells}
        if cells and known and known.cells_seen:
            scalars["missing_excess"] = excess(sample.missing, cells, known.missing, known.cells_seen)
            scalars["type_excess"] = excess(sample.other_types, cells, known.other_types, known.cells_seen)
        yield name, scalars


def embedding_drift(table: TableProfile, reference: TableProfile | None) -> Iterator[tuple[str, float]]:
    """How well a classifier separates the sample from the reference's, their discrepancy, and the rows compared.

    Raises UserError if scikit-learn is missing.
    """
    for name, sample in table.samples.items():
        known = reference.samples.get(name) if reference else None
        if known is None or not len(known.hashes) or not len(sample.hashes):
            continue
        with require_extra("profiling"):
            import sklearn  # noqa: F401
        from ..stats.embeddings import domain_classifier, mmd

        before, after = (known.rows, sample.rows) if sample.width else _vectorize_texts(known.texts, sample.texts)
        key = f"features/{escape_label(name)}"
        yield f"{key}/classifier_auc", domain_classifier(before, after)
        yield f"{key}/mmd", mmd(before, after)
        yield f"{key}/n", float(len(after))


def _vectorize_texts(reference: tuple[str, ...], texts: tuple[str, ...]) -> tuple[Floats, Floats]:
    """Texts as vectors: hashed runs of 2 to 4 characters, reduced to the principal directions of both together."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import HashingVectorizer

    hashed = HashingVectorizer(analyzer="char_wb", ngram_range=(2, 4), n_features=1 << 14, alternate_sign=False)
    counts = hashed.transform([*reference, *texts])
    directions = TruncatedSVD(n_components=min(TEXT_DIMENSIONS, counts.shape[0]), random_state=0)
    dense = np.asarray(directions.fit_transform(counts), dtype=np.float64)
    return dense[: len(reference)], dense[len(reference) :]
