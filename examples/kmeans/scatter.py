"""A scatter plot as SVG, by hand: no library, one string."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 760, 560
LEFT, RIGHT, TOP, BOTTOM = 76, 736, 92, 490  # the edges of the plane
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f5fc7", "#6b6b6b")
STYLE = (
    "text{font-family:system-ui,'Segoe UI',Helvetica,Arial,sans-serif;font-size:14px;fill:#5b6570}"
    ".title{font-size:21px;font-weight:600;fill:#1d242b}"
    ".label{font-size:15px;fill:#1d242b}"
    ".grid{stroke:#e7ebef;stroke-width:1}"
    ".dot{fill-opacity:.78;stroke:#fff;stroke-width:1.2}"
)


class Dot(NamedTuple):
    """A point and its group, counted from 1."""

    x: float
    y: float
    group: int


class Axis:
    """Maps values to pixels, with round numbers for ticks that reach around all values."""

    def __init__(self, values: Iterable[float], start: float, end: float) -> None:
        values = list(values)
        low, high = min(values), max(values)
        step = _round_step((high - low) / 6)
        first, last = math.floor(low / step), math.ceil(high / step)
        self.ticks = [step * n for n in range(first, last + 1)]
        self._start = start
        self._scale = (end - start) / (self.ticks[-1] - self.ticks[0])

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        return round(self._start + (value - self.ticks[0]) * self._scale, 1)


def scatter(dots: Sequence[Dot], *, title: str, subtitle: str, x_label: str, y_label: str) -> str:
    """Draw the dots, coloured by group, with a legend that counts them."""
    x = Axis((dot.x for dot in dots), LEFT, RIGHT)
    y = Axis((dot.y for dot in dots), BOTTOM, TOP)
    middle = (TOP + BOTTOM) / 2
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
            _text(LEFT, 38, title, "title"),
            _text(LEFT, 62, subtitle),
            *_grid(x, y),
            _text((LEFT + RIGHT) / 2, HEIGHT - 18, x_label, "label", anchor="middle"),
            _text(24, middle, y_label, "label", anchor="middle", extra=f' transform="rotate(-90 24 {middle})"'),
            *(_dot(x.at(dot.x), y.at(dot.y), dot.group) for dot in dots),
            *_legend(dots),
            "</svg>\n",
        ]
    )


def _grid(x: Axis, y: Axis) -> Iterable[str]:
    for tick in x.ticks:
        yield f'<path class="grid" d="M{x.at(tick)} {TOP}V{BOTTOM}"/>'
        yield _text(x.at(tick), BOTTOM + 22, f"{tick:g}", anchor="middle")
    for tick in y.ticks:
        yield f'<path class="grid" d="M{LEFT} {y.at(tick)}H{RIGHT}"/>'
        yield _text(LEFT - 12, y.at(tick) + 5, f"{tick:g}", anchor="end")


def _legend(dots: Sequence[Dot]) -> Iterable[str]:
    groups = sorted({dot.group for dot in dots})
    height = len(groups) * 24 + 12
    yield f'<rect x="{RIGHT - 148}" y="{TOP + 10}" width="138" height="{height}" fill="#fff" opacity=".85"/>'
    for row, group in enumerate(groups):
        middle = TOP + 28 + row * 24
        yield _dot(RIGHT - 132, middle, group)
        count = sum(dot.group == group for dot in dots)
        yield _text(RIGHT - 118, middle + 5, f"cluster {group} ({count})")


def _text(x: float, y: float, text: str, style: str = "", *, anchor: str = "start", extra: str = "") -> str:
    return f'<text x="{x}" y="{y}" class="{style}" text-anchor="{anchor}"{extra}>{escape(text)}</text>'


def _dot(x: float, y: float, group: int) -> str:
    return f'<circle class="dot" cx="{x}" cy="{y}" r="5.5" fill="{COLOURS[(group - 1) % len(COLOURS)]}"/>'


def _round_step(step: float) -> float:
    """Round up to 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step)
