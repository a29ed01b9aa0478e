"""Byte streams cut anywhere, as they arrive from a socket."""

import itertools
from collections.abc import Sequence

from hypothesis import strategies as st

cuts = st.lists(st.integers(0, 10**6), max_size=12)


def split(data: bytes, at: Sequence[int]) -> list[bytes]:
    """The same bytes in pieces; a cut beyond the end is taken modulo the length."""
    borders = [0, *sorted(cut % (len(data) + 1) for cut in at), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(borders)]
