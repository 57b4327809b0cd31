"""``make bench``: a row a figure; status 1 where one does not hold."""

from __future__ import annotations

import sys

from . import (
    anomaly,
    backtest,
    calibration,
    dashboard,
    diagnose,
    drift,
    engines,
    estimates,
    fleet,
    gate,
    install,
    logs,
    performance,
    profiles,
    recorder,
    relay,
    respond,
    rules,
    start,
    tuning,
)
from .measure import Row, busy

PARTS = {
    "start": start.rows,
    "install": install.rows,
    "rules": rules.rows,
    "tuning": tuning.rows,
    "drift rules": drift.rows,
    "anomaly rules": anomaly.rows,
    "fleet": fleet.rows,
    "performance": performance.rows,
    "calibration": calibration.rows,
    "profiles": profiles.rows,
    "logs": logs.rows,
    "engines": engines.rows,
    "recorder": recorder.rows,
    "relay": relay.rows,
    "respond": respond.rows,
    "diagnose": diagnose.rows,
    "dashboard": dashboard.rows,
    "gate": gate.rows,
    "backtest": backtest.rows,
    "estimates": estimates.rows,
}


def main(wanted: list[str]) -> int:
    print(f"{'figure':<44} {'measured':>9}  {'reference':<52} {'ratio':>6} {'bar':>5}  holds")
    found: list[Row] = []
    for name, part in PARTS.items():
        if wanted and name not in wanted:
            continue
        if busy():
            print(f"({busy()})", flush=True)
        for row in part():
            found.append(row)
            holds = "yes" if row.holds else "NO"
            told = f"{row.figure:<44} {row.measured:>9}  {row.reference:<52} {row.ratio:>6.2f} {row.bar:>5.2f}  {holds}"
            print(told, flush=True)
    return 0 if all(row.holds for row in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
