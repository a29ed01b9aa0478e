"""How sure is the mean of a measurement? Drawn anew from the wines many times, with replacement, it says so itself.

The bootstrap (B. Efron, 1979, doi:10.1214/aos/1176344552), with the percentiles 2.5 and 97.5.

Inputs: ``column`` (alcohol), ``cultivar`` (1, 2 or 3; all), ``draws`` (2000), ``seed`` (1).
Outputs: ``interval.json``.
"""

from __future__ import annotations

import csv
import json
import random
import statistics
import sys
from pathlib import Path

import tailrace_job

WINES = Path(__file__).parent.parent / "kmeans" / "wine.csv"
SHOWN = 10


def main() -> None:
    """Draw, and say where most of the means are."""
    column, cultivar = tailrace_job.inputs.get("column", "alcohol"), tailrace_job.inputs.get("cultivar")
    draws, seed = tailrace_job.inputs.get("draws", 2000), tailrace_job.inputs.get("seed", 1)
    rows = [row for row in csv.DictReader(WINES.read_text().splitlines()) if cultivar in {None, int(row["cultivar"])}]
    if not rows or column not in rows[0]:
        sys.exit(f"there is no column {column!r}, or no cultivar {cultivar!r}")
    values = [float(row[column]) for row in rows]
    chance = random.Random(seed)  # noqa: S311 (not for secrets)
    means = []
    for part in range(SHOWN):
        means += [statistics.fmean(chance.choices(values, k=len(values))) for _ in range(draws // SHOWN)]
        tailrace_job.progress(100 * (part + 1) / SHOWN, f"{len(means)} draws")
    low, *_, high = statistics.quantiles(means, n=40)
    found = {
        "column": column,
        "cultivar": cultivar,
        "mean": round(statistics.fmean(values), 4),
        "low": round(low, 4),
        "high": round(high, 4),
    }
    print(f"{column} of {len(values)} wines: {found['mean']}, from {found['low']} to {found['high']}", flush=True)
    (tailrace_job.outputs / "interval.json").write_text(json.dumps(found, indent=2) + "\n")
    tailrace_job.result(found)


if __name__ == "__main__":
    main()
