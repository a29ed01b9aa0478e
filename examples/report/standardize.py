"""A table of numbers with every column brought to mean 0 and deviation 1, so that columns can be compared.

Inputs: ``table``, the path of a CSV file (the wines); ``keep``, a column that stays as it is (none).
Outputs: ``table.csv``.
"""

from __future__ import annotations

import csv
import statistics
from pathlib import Path

import tailrace_job

WINES = Path(__file__).parent.parent / "kmeans" / "wine.csv"


def main() -> None:
    """Read, bring to scale, write."""
    rows = list(csv.DictReader(Path(tailrace_job.inputs.get("table", WINES)).read_text().splitlines()))
    for name in rows[0]:
        if name != tailrace_job.inputs.get("keep"):
            values = [float(row[name]) for row in rows]
            mean, deviation = statistics.fmean(values), statistics.pstdev(values) or 1
            for row, value in zip(rows, values, strict=True):
                row[name] = f"{(value - mean) / deviation:.6f}"
            print(f"{name}: mean {mean:.4g}, deviation {deviation:.4g}", flush=True)
    with (tailrace_job.outputs / "table.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
