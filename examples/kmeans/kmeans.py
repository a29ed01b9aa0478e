"""Sort 178 Italian wines by what is in them, without being told the grape, and see whether the grape comes out.

k-means with many random restarts for every k from 2 to 8; the k with the best mean silhouette wins. The work is cut
into chunks. After each one the state is saved, so that the program can stop within a second whenever it is asked to,
and goes on later with exactly the result that it would have had.

Inputs: ``restarts`` for each k (400: 6 to 12 seconds), ``seed`` (1).
Outputs: ``result.json``, ``clusters.csv``, ``plot.svg``.
"""

from __future__ import annotations

import csv
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from clustering import Clustering, Point, adjusted_rand_index, by_size, kmeans, silhouettes, standardize
from scatter import Dot, scatter

import tailrace_job

DATA = Path(__file__).with_name("wine.csv")
STATE = "search.json"
KS = range(2, 9)
CHUNKS_PER_K = 4


def main() -> None:
    """Search, and on a stop leave a checkpoint; at the end, publish."""
    wines = list(csv.DictReader(DATA.read_text().splitlines()))
    points = standardize([tuple(float(x) for name, x in wine.items() if name != "cultivar") for wine in wines])
    search = Search(restarts=positive("restarts", 400), seed=positive("seed", 1))
    say(f"{len(points)} wines, {len(points[0])} measurements; {search.restarts} restarts for each k from 2 to 8")
    search.resume()
    try:
        search.run(points)
    except tailrace_job.TerminationRequested as stop:
        say(f"{stop}: saving the checkpoint at chunk {search.done} of {len(search.plan)}")
        search.save()
        tailrace_job.exit_saved()
    publish(wines, points, search.best)


def positive(name: str, default: int) -> int:
    """Read an input that is a whole number from 1; end the program if it is something else."""
    value = tailrace_job.inputs.get(name, default)
    if not isinstance(value, int) or value < 1:
        sys.exit(f"input {name}: a whole number from 1 is needed, not {value!r}")
    return value


class Search:
    """The restarts done so far: what a checkpoint holds."""

    def __init__(self, *, restarts: int, seed: int) -> None:
        self.restarts = restarts
        self.seed = seed
        self.rng = random.Random(seed)  # noqa: S311 (not for secrets)
        self.best: dict[int, Clustering] = {}
        self.done = 0
        bounds = [restarts * part // CHUNKS_PER_K for part in range(CHUNKS_PER_K + 1)]
        self.plan = [(k, range(a, b)) for k in KS for a, b in pairwise(bounds) if a < b]

    def run(self, points: Sequence[Point]) -> None:
        """Do the chunks that are not done yet.

        Raises:
            TerminationRequested: After a chunk, when a stop is asked for: every attempt gets one chunk further.
        """
        for k, restarts in self.plan[self.done :]:
            found = min(kmeans(points, k, self.rng) for _ in restarts)
            self.best[k] = min(found, self.best.get(k, found))
            self.done += 1
            self.save()
            tailrace_job.progress(99 * self.done / len(self.plan), phase=f"k = {k}")
            say(
                f"chunk {self.done}/{len(self.plan)}: k = {k}, restarts {restarts.start + 1}–{restarts.stop},"
                f" inertia {found.inertia:.3f}, best {self.best[k].inertia:.3f}"
            )
            tailrace_job.checkpoint()

    def save(self) -> None:
        """Write the checkpoint, with the state of the random numbers: a resumed search goes on with the same ones."""
        state = {
            "restarts": self.restarts,
            "seed": self.seed,
            "done": self.done,
            "best": self.best,
            "rng": self.rng.getstate(),
        }
        tailrace_job.save(STATE, json.dumps(state))

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one and it is of the same search."""
        saved = tailrace_job.load(STATE)
        if saved is None:
            return
        state = json.loads(saved)
        if (state["restarts"], state["seed"]) != (self.restarts, self.seed):
            say("the checkpoint is of a search with other inputs: starting anew")
            return
        self.done = state["done"]
        self.best = {int(k): Clustering(*clustering) for k, clustering in state["best"].items()}
        version, numbers, gauss = state["rng"]
        self.rng.setstate((version, tuple(numbers), gauss))
        say(f"resuming after chunk {self.done} of {len(self.plan)}")


@dataclass(frozen=True)
class Choice:
    """The best clustering for one k, its clusters numbered by size, and how well each point fits its cluster."""

    k: int
    inertia: float
    labels: list[int]
    fits: list[float]

    @property
    def silhouette(self) -> float:
        """The mean fit."""
        return sum(self.fits) / len(self.fits)


def publish(wines: list[dict[str, str]], points: Sequence[Point], best: dict[int, Clustering]) -> None:
    """Choose k and write the result and the outputs."""
    tailrace_job.progress(99, phase="choosing k")
    choices = []
    for k, (inertia, labels) in best.items():
        choices.append(Choice(k, inertia, by_size(labels), silhouettes(points, labels)))
        say(f"k = {k}: silhouette {choices[-1].silhouette:.4f}")
    chosen = max(choices, key=lambda choice: choice.silhouette)
    summary = summarize(wines, choices, chosen)
    tailrace_job.save(tailrace_job.outputs / "result.json", json.dumps(summary, indent=2) + "\n")
    tailrace_job.save(tailrace_job.outputs / "clusters.csv", table(wines, chosen))
    tailrace_job.save(tailrace_job.outputs / "plot.svg", plot(wines, chosen))
    tailrace_job.result(summary)
    tailrace_job.progress(100, phase="done")
    say(f"{chosen.k} clusters; agreement with the grapes (adjusted Rand index): {summary['adjusted_rand_index']}")


def summarize(wines: list[dict[str, str]], choices: list[Choice], chosen: Choice) -> dict[str, Any]:
    """Make the result."""
    return {
        "wines": len(wines),
        "k": chosen.k,
        "silhouette": round(chosen.silhouette, 4),
        "inertia": round(chosen.inertia, 3),
        "sizes": [chosen.labels.count(cluster) for cluster in range(1, chosen.k + 1)],
        "adjusted_rand_index": round(adjusted_rand_index(chosen.labels, [wine["cultivar"] for wine in wines]), 4),
        "candidates": [
            {"k": choice.k, "inertia": round(choice.inertia, 3), "silhouette": round(choice.silhouette, 4)}
            for choice in choices
        ],
    }


def table(wines: list[dict[str, str]], chosen: Choice) -> str:
    """Make ``clusters.csv``."""
    lines = ["wine,cluster,silhouette,cultivar"]
    for number, (wine, cluster, fit) in enumerate(zip(wines, chosen.labels, chosen.fits, strict=True), start=1):
        lines.append(f"{number},{cluster},{fit:.4f},{wine['cultivar']}")
    return "\n".join(lines) + "\n"


def plot(wines: list[dict[str, str]], chosen: Choice) -> str:
    """Make ``plot.svg``: the clusters in the plane of the two measurements that show them best."""
    return scatter(
        [
            Dot(float(wine["flavanoids"]), float(wine["color_intensity"]), cluster)
            for wine, cluster in zip(wines, chosen.labels, strict=True)
        ],
        title=f"{len(wines)} wines in {chosen.k} clusters",
        subtitle=f"k-means on 13 standardized measurements, mean silhouette {chosen.silhouette:.3f}",
        x_label="Flavanoids",
        y_label="Colour intensity",
    )


def say(text: str) -> None:
    """Write a log line at once: Python holds lines back when nobody's terminal is behind them."""
    print(text, flush=True)


if __name__ == "__main__":
    main()
