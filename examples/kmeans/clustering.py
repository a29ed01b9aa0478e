"""The mathematics of the example: k-means, silhouettes, agreement of two partitions. Pure functions on tuples."""

from __future__ import annotations

import math
import random
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

Point = tuple[float, ...]


class Clustering(NamedTuple):
    """A partition of the points: the cluster of each, and the sum of squared distances to the cluster centres."""

    inertia: float
    labels: list[int]


def standardize(rows: Sequence[Point]) -> list[Point]:
    """Scale every column to mean 0 and standard deviation 1, so that no unit outweighs the others."""
    columns = [_standardized(column) for column in zip(*rows, strict=True)]
    return list(zip(*columns, strict=True))


def kmeans(points: Sequence[Point], k: int, rng: random.Random) -> Clustering:
    """Run Lloyd's algorithm to its fixed point from one k-means++ start."""
    centres = _spread_out(points, k, rng)
    labels: list[int] = []
    while True:
        nearest = [_nearest(point, centres) for point in points]
        if nearest == labels:
            break
        labels = nearest
        centres = [_mean([p for p, c in zip(points, labels, strict=True) if c == i]) or centres[i] for i in range(k)]
    return Clustering(math.fsum(math.dist(p, centres[c]) ** 2 for p, c in zip(points, labels, strict=True)), labels)


def silhouettes(points: Sequence[Point], labels: Sequence[int]) -> list[float]:
    """Rate each point from -1 to 1: how much closer it is to its own cluster than to the next best one."""
    sizes = Counter(labels)
    ratings = []
    for point, own in zip(points, labels, strict=True):
        sums = dict.fromkeys(sizes, 0.0)
        for other, cluster in zip(points, labels, strict=True):
            sums[cluster] += math.dist(point, other)
        inside = sums[own] / max(sizes[own] - 1, 1)
        outside = min(sums[cluster] / size for cluster, size in sizes.items() if cluster != own)
        ratings.append((outside - inside) / max(inside, outside) if sizes[own] > 1 else 0.0)
    return ratings


def adjusted_rand_index(one: Sequence[object], other: Sequence[object]) -> float:
    """Compare two partitions: 1 is the same partition, 0 is what chance would give."""
    together = _pairs(zip(one, other, strict=True))
    first, second = _pairs(one), _pairs(other)
    chance = first * second / math.comb(len(one), 2)
    return (together - chance) / ((first + second) / 2 - chance)


def by_size(labels: Sequence[int]) -> list[int]:
    """Number the clusters from 1, the largest first, so that equal partitions have equal labels."""
    order = sorted(set(labels), key=lambda c: (-labels.count(c), labels.index(c)))
    return [order.index(cluster) + 1 for cluster in labels]


def _standardized(values: Sequence[float]) -> list[float]:
    mean, deviation = statistics.fmean(values), statistics.pstdev(values)
    return [(value - mean) / deviation for value in values]


def _spread_out(points: Sequence[Point], k: int, rng: random.Random) -> list[Point]:
    """Choose starting centres by k-means++: each with a probability that grows with its distance from the others."""
    centres = [points[rng.randrange(len(points))]]
    weights = [math.inf] * len(points)
    while len(centres) < k:
        newest = centres[-1]
        weights = [min(weight, math.dist(point, newest) ** 2) for weight, point in zip(weights, points, strict=True)]
        centres.append(rng.choices(points, cum_weights=list(accumulate(weights)))[0])
    return centres


def _nearest(point: Point, centres: Sequence[Point]) -> int:
    distances = [math.dist(point, centre) for centre in centres]
    return distances.index(min(distances))


def _mean(points: Sequence[Point]) -> Point:
    return tuple(math.fsum(column) / len(points) for column in zip(*points, strict=True))


def _pairs(labels: Iterable[object]) -> int:
    return sum(math.comb(count, 2) for count in Counter(labels).values())
