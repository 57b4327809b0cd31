"""Runs in NannyML's environment: its statistics of the tables in a folder, as JSON."""

import json
import sys
import warnings
from pathlib import Path

import nannyml
import pandas as pd

NUMBERS = ["jensen_shannon", "hellinger", "wasserstein", "kolmogorov_smirnov"]
TEXTS = ["jensen_shannon", "hellinger", "chi2"]


def main(folder: Path) -> None:
    found = {}
    for path in sorted(folder.glob("*-reference.parquet")):
        size = path.name.split("-")[0]
        reference, current = pd.read_parquet(path), pd.read_parquet(folder / f"{size}-current.parquet")
        calculator = nannyml.UnivariateDriftCalculator(
            column_names=list(reference.columns),
            continuous_methods=NUMBERS,
            categorical_methods=TEXTS,
            chunk_number=1,
        )
        calculator.fit(reference)
        answer = calculator.calculate(current).filter(period="analysis").to_df()
        for column, method, part in answer.columns:
            if part == "value":
                found[f"{size}/{method}/{column}"] = float(answer[column, method, part].iloc[0])
    print(json.dumps(found))


warnings.simplefilter("ignore")
main(Path(sys.argv[1]))
