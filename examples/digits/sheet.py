"""All images of one handwritten digit on a sheet, and what they look like on average.

Inputs: ``digit`` (0 to 9), ``zoom`` (4 pixels for each).
Outputs: ``sheet-<digit>.png``, ``mean-<digit>.png``.
"""

from __future__ import annotations

import csv
import struct
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path

import tailrace_job

DATA = Path(__file__).with_name("digits.csv")
SIDE = 8
COLUMNS = 10
# A pixel of the data is from 0, paper, to 16, ink.
INK = 16

Grey = list[list[float]]


def main() -> None:
    """Read the images of the digit, put them side by side, and write both pictures."""
    digit, zoom = tailrace_job.inputs.get("digit", 0), tailrace_job.inputs.get("zoom", 4)
    images = [image for image, of in read() if of == digit]
    if not images:
        sys.exit(f"input digit: a whole number from 0 to 9 is needed, not {digit!r}")
    mean = [[sum(image[y][x] for image in images) / len(images) for x in range(SIDE)] for y in range(SIDE)]
    (tailrace_job.outputs / f"sheet-{digit}.png").write_bytes(png(zoomed(sheet(images), zoom)))
    (tailrace_job.outputs / f"mean-{digit}.png").write_bytes(png(zoomed(mean, 8 * zoom)))
    ink = round(sum(map(sum, mean)) / (SIDE * SIDE * INK), 4)
    print(f"{len(images)} images of {digit}; {100 * ink:.1f} % of the paper is ink", flush=True)
    tailrace_job.result({"digit": digit, "images": len(images), "ink": ink})


def read() -> list[tuple[Grey, int]]:
    """The images, and which digit each is of."""
    _, *rows = csv.reader(DATA.read_text().splitlines())
    return [([[float(v) for v in row[y * SIDE : (y + 1) * SIDE]] for y in range(SIDE)], int(row[-1])) for row in rows]


def sheet(images: Sequence[Grey]) -> Grey:
    """Images side by side, with paper between and around."""
    lines: Grey = []
    for start in range(0, len(images), COLUMNS):
        row = [*images[start : start + COLUMNS]]
        row += [[[0.0] * SIDE] * SIDE] * (COLUMNS - len(row))
        lines.append([0.0] * (COLUMNS * (SIDE + 1) + 1))
        lines += [[0.0, *(v for image in row for v in (*image[y], 0.0))] for y in range(SIDE)]
    return [*lines, [0.0] * len(lines[0])]


def zoomed(image: Grey, factor: int) -> Grey:
    """Each pixel as a square of pixels."""
    return [[value for value in line for _ in range(factor)] for line in image for _ in range(factor)]


def png(image: Grey) -> bytes:
    """A greyscale PNG (https://www.w3.org/TR/png/): black ink on white paper."""
    lines = b"".join(b"\0" + bytes(round(255 * (1 - value / INK)) for value in line) for line in image)
    header = struct.pack("!IIBBBBB", len(image[0]), len(image), 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack("!I", len(data)) + name + data + struct.pack("!I", zlib.crc32(name + data)) for name, data in parts
    )


if __name__ == "__main__":
    main()
