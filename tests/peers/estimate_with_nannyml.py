"""Runs in NannyML's environment: estimates of the tables in a folder, as JSON, with the seconds that they took."""

import json
import sys
import time
import warnings
from pathlib import Path

import nannyml
import pandas as pd

METRICS = {"accuracy": "accuracy", "f1": "f1", "auc": "roc_auc"}


def main(folder: Path, chunks: int) -> None:
    """``chunks``: into how many the later rows are cut; as many rows as one has are a chunk of the labelled ones."""
    found = {}
    for path in sorted(folder.glob("*-labelled.parquet")):
        name = path.name.removesuffix("-labelled.parquet")
        labelled, rows = pd.read_parquet(path), pd.read_parquet(folder / f"{name}-rows.parquet")
        began = time.perf_counter()
        estimator = nannyml.CBPE(
            metrics=list(METRICS.values()),
            y_pred_proba="score",
            y_pred="prediction",
            y_true="label",
            problem_type="classification_binary",
            chunk_size=-(-len(rows) // chunks),
        )
        estimator.fit(labelled)
        answer = estimator.estimate(rows).filter(period="analysis").to_df()
        seconds = time.perf_counter() - began
        parts = ("value", "lower_confidence_boundary", "upper_confidence_boundary")
        table = {own: [float(answer[other, part].iloc[0]) for part in parts] for own, other in METRICS.items()}
        found[name] = {"seconds": seconds, **table}
    print(json.dumps(found))


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main(Path(sys.argv[1]), int(sys.argv[2]))
