"""A table of numbers as a page to look at: for each column its range, mean, spread and a histogram.

Inputs: ``table``, the path of a CSV file with names in its first line (the wines); ``by``, a column that says to which
group a row belongs (none); ``bins`` of the histograms (20).
Outputs: ``report.html``, one SVG for each column in ``plots/``, ``summary.json``.
"""

from __future__ import annotations

import csv
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import tailrace_job

WINES = Path(__file__).parent.parent / "kmeans" / "wine.csv"
WIDTH, HEIGHT = 320, 120
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:62rem;color:#1d242b}"
    "table{border-collapse:collapse;width:100%}td,th{padding:.4rem .8rem;text-align:right;border-top:1px solid #e7ebef}"
    "td:first-child,th:first-child{text-align:left}img{display:block}"
)


def main() -> None:
    """Read, sum up column by column, write."""
    path = Path(tailrace_job.inputs.get("table", WINES))
    rows = list(csv.DictReader(path.read_text().splitlines()))
    by = tailrace_job.inputs.get("by")
    columns = {name: values for name in (rows[0] if rows else ()) if name != by and (values := numbers(rows, name))}
    if not columns:
        sys.exit(f"{path.name} has no column of numbers")
    groups = sorted({row[by] for row in rows}) if by else []
    summary = {}
    (tailrace_job.outputs / "plots").mkdir()
    for done, (name, values) in enumerate(columns.items(), start=1):
        summary[name] = summed_up(values) | {
            "means": {group: round(statistics.fmean(numbers(rows, name, (by, group))), 4) for group in groups}
        }
        plot = histogram(values, bins=tailrace_job.inputs.get("bins", 20), title=name)
        (tailrace_job.outputs / "plots" / f"{name}.svg").write_text(plot)
        print(f"{name}: {len(values)} values, mean {summary[name]['mean']:g}", flush=True)
        tailrace_job.progress(100 * done / len(columns), name)
    (tailrace_job.outputs / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    (tailrace_job.outputs / "report.html").write_text(page(path.name, len(rows), summary, groups))
    tailrace_job.result({"rows": len(rows), "columns": len(columns)})


def numbers(rows: Sequence[Mapping[str, Any]], name: str, of: tuple[Any, str] | None = None) -> list[float]:
    """The values of a column, perhaps of one group; nothing if one of them is no number."""
    try:
        return [float(row[name]) for row in rows if of is None or row[of[0]] == of[1]]
    except ValueError:
        return []


def summed_up(values: Sequence[float]) -> dict[str, Any]:
    """Smallest, largest, mean, and how far they spread."""
    return {
        "smallest": min(values),
        "largest": max(values),
        "mean": round(statistics.fmean(values), 4),
        "deviation": round(statistics.pstdev(values), 4),
    }


def histogram(values: Sequence[float], *, bins: int, title: str) -> str:
    """How many values are where, as SVG."""
    low, high = min(values), max(values)
    counts = [0] * bins
    for value in values:
        counts[min(int((value - low) / ((high - low) or 1) * bins), bins - 1)] += 1
    width, scale = WIDTH / bins, HEIGHT / max(counts)
    bars = "".join(
        f'<rect x="{place * width:.1f}" y="{HEIGHT - count * scale:.1f}" width="{width - 1:.1f}" '
        f'height="{count * scale:.1f}"/>'
        for place, count in enumerate(counts)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" fill="#0072b2">'
        f"<title>{escape(title)}: {low:g} to {high:g}</title>{bars}</svg>\n"
    )


def page(name: str, rows: int, summary: Mapping[str, Mapping[str, Any]], groups: Sequence[str]) -> str:
    """All of it as HTML, the plots within."""
    heads = ["column", "smallest", "largest", "mean", "deviation", *(f"mean of {group}" for group in groups), ""]
    lines = [
        f"<tr><td>{escape(column)}</td>"
        + "".join(f"<td>{each[key]:g}</td>" for key in ("smallest", "largest", "mean", "deviation"))
        + "".join(f"<td>{mean:g}</td>" for mean in each["means"].values())
        + f"<td>{(tailrace_job.outputs / 'plots' / f'{column}.svg').read_text()}</td></tr>"
        for column, each in summary.items()
    ]
    return (
        f'<!doctype html><meta charset="utf-8"><title>{escape(name)}</title><style>{STYLE}</style>'
        f"<h1>{escape(name)}</h1><p>{rows} rows, {len(summary)} columns of numbers</p><table>"
        f"<tr>{''.join(f'<th>{escape(head)}</th>' for head in heads)}</tr>{''.join(lines)}</table>\n"
    )


if __name__ == "__main__":
    main()
