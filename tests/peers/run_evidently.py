"""Runs in Evidently's environment: its statistics of the tables in a folder, as JSON."""

import json
import sys
from pathlib import Path

import pandas as pd
from evidently.legacy.calculations import stattests
from evidently.legacy.core import ColumnType

NUMBERS = ("psi", "jensenshannon", "hellinger", "wasserstein", "ks")
TEXTS = ("psi", "jensenshannon", "hellinger")


def main(folder: Path) -> None:
    found = {}
    for path in sorted(folder.glob("*-reference.parquet")):
        size = path.name.split("-")[0]
        reference, current = pd.read_parquet(path), pd.read_parquet(folder / f"{size}-current.parquet")
        for name in reference.columns:
            number = pd.api.types.is_numeric_dtype(reference[name])
            kind = ColumnType.Numerical if number else ColumnType.Categorical
            for method in NUMBERS if number else TEXTS:
                test = stattests.get_stattest(reference[name], current[name], kind, method)
                answer = test(reference[name].copy(), current[name].copy(), kind, None)
                found[f"{size}/{method}/{name}"] = float(answer.drift_score)
    print(json.dumps(found))


main(Path(sys.argv[1]))
