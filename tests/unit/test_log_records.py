import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.logs.records import RECORD_BYTES, Cut, Splitter, character_boundary
from support.cutting import cuts, split

# Long runs make lines that are longer than a record; the bytes in between are what ends lines or cannot be decoded.
odd_bytes = st.sampled_from(
    [b"", b"\n", b"\r\n", b"\0", b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80"]
)
runs = st.builds(
    lambda unit, count: unit * count,
    st.sampled_from([b"a", b"\n", b"\0", b"\xff", "é".encode(), "€".encode(), "😀".encode()]),
    st.one_of(st.integers(0, 40), st.integers(16_370, 16_400), st.integers(32_750, 32_790)),
)
streams = st.lists(st.one_of(st.binary(max_size=30), odd_bytes, runs), max_size=6).map(b"".join)
texts = st.lists(
    st.one_of(st.text(max_size=30), runs.filter(lambda run: b"\xff" not in run).map(bytes.decode)), max_size=6
).map(lambda parts: "".join(parts).encode())


def records_of(pieces: list[bytes], *, flushed_after: frozenset[int] = frozenset()) -> list[Cut]:
    splitter = Splitter()
    records: list[Cut] = []
    for number, piece in enumerate(pieces):
        records += splitter.feed(piece)
        if number in flushed_after:
            records += splitter.flush(end=False)
    return records + splitter.flush(end=True)


def joined(records: list[Cut]) -> bytes:
    return b"".join(data if continues else data + b"\n" for data, continues in records)


def is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(streams, cuts)
@example(b"a" * RECORD_BYTES + b"\n", [RECORD_BYTES])
@example(b"a" * (RECORD_BYTES + 1) + b"\n", [RECORD_BYTES, RECORD_BYTES + 1])
@example(b"a" * (RECORD_BYTES - 1) + "é\n".encode(), [RECORD_BYTES])
@example(b"\xff" * (RECORD_BYTES * 2) + b"\n", [1, RECORD_BYTES])
def test_any_split_of_the_stream_gives_the_same_records(data: bytes, at: list[int]) -> None:
    assert records_of(split(data, at)) == records_of([data])


@given(streams, cuts, st.frozensets(st.integers(0, 12)))
@example("é".encode(), [1], frozenset({0}))
def test_nothing_is_lost_or_changed_however_often_it_is_flushed(
    data: bytes, at: list[int], flushed_after: frozenset[int]
) -> None:
    assert joined(records_of(split(data, at), flushed_after=flushed_after)) == data


@given(streams, cuts, st.frozensets(st.integers(0, 12)))
def test_no_record_is_longer_than_it_may_be(data: bytes, at: list[int], flushed_after: frozenset[int]) -> None:
    records = records_of(split(data, at), flushed_after=flushed_after)
    assert all(len(record.data) <= RECORD_BYTES for record in records)
    assert all(b"\n" not in record.data for record in records)


@given(texts, cuts, st.frozensets(st.integers(0, 12)))
@example("é".encode(), [1], frozenset({0}))
@example("x😀".encode(), [2, 3, 4], frozenset({0, 1, 2}))
@example(("a" * (RECORD_BYTES - 2) + "€€").encode(), [RECORD_BYTES - 1], frozenset({0}))
def test_no_character_of_a_text_is_cut_in_two(data: bytes, at: list[int], flushed_after: frozenset[int]) -> None:
    records = records_of(split(data, at), flushed_after=flushed_after)
    assert [record for record in records if not is_text(record.data)] == []


@given(streams, cuts)
def test_what_is_pending_was_fed_and_is_in_no_record_yet(data: bytes, at: list[int]) -> None:
    splitter = Splitter()
    fed = b""
    records: list[Cut] = []
    for piece in split(data, at):
        records += splitter.feed(piece)
        fed += piece
        assert len(joined(records)) + splitter.pending == len(fed)
        assert splitter.pending <= RECORD_BYTES


@pytest.mark.parametrize(
    ("data", "records"),
    [
        (b"", []),
        (b"\n", [(b"", False)]),
        (b"\n\n", [(b"", False), (b"", False)]),
        (b"a\nb\n", [(b"a", False), (b"b", False)]),
        (b"no newline", [(b"no newline", True)]),
        (b"10 %\r20 %\r\n", [(b"10 %\r20 %\r", False)]),
        (b"a\0b\n", [(b"a\0b", False)]),
        (b"\xff\xfe\n\x80", [(b"\xff\xfe", False), (b"\x80", True)]),
        (b"x" * RECORD_BYTES + b"\n", [(b"x" * RECORD_BYTES, False)]),
        (b"x" * RECORD_BYTES, [(b"x" * RECORD_BYTES, True)]),
        (b"x" * (RECORD_BYTES + 1) + b"\n", [(b"x" * RECORD_BYTES, True), (b"x", False)]),
    ],
)
def test_a_stream_is_cut_into_lines(data: bytes, records: list[tuple[bytes, bool]]) -> None:
    assert records_of([data]) == records
    assert records_of([data[at : at + 1] for at in range(len(data))]) == records


@pytest.mark.parametrize("unit", ["a", "é", "€", "😀"])
def test_a_line_of_a_mebibyte_is_cut_into_full_records(unit: str) -> None:
    data = (unit * 2**20).encode()[: 2**20]
    records = records_of([data + b"\nnext\n"])
    *pieces, rest, after = records
    assert joined(records) == data + b"\nnext\n"
    assert after == (b"next", False)
    assert all(piece.continues for piece in pieces)
    assert not rest.continues
    assert min(len(piece.data) for piece in pieces) > RECORD_BYTES - len(unit.encode())


def test_a_flush_before_the_end_keeps_a_character_that_has_begun() -> None:
    for character in ("é", "€", "😀"):
        whole = character.encode()
        for seen in range(1, len(whole)):
            splitter = Splitter()
            assert splitter.feed(whole[:seen]) == []
            assert splitter.flush(end=False) == []
            assert splitter.feed(whole[seen:] + b"\n") == [(whole, False)]


def test_a_newline_after_a_flushed_prompt_ends_its_line() -> None:
    splitter = Splitter()
    assert splitter.feed(b"name? ") == []
    assert splitter.flush(end=False) == [(b"name? ", True)]
    assert splitter.flush(end=False) == []
    assert splitter.feed(b"\n") == [(b"", False)]


@given(st.text(min_size=1, max_size=20), st.integers(0, 80))
def test_a_boundary_is_the_last_one_at_or_below_the_limit(text: str, limit: int) -> None:
    data = text.encode()
    borders = set(itertools.accumulate((len(character.encode()) for character in text), initial=0))
    if limit <= len(data):
        assert character_boundary(data, limit) == max(border for border in borders if border <= limit)


@given(st.binary(max_size=40), st.integers(0, 40))
def test_a_boundary_is_found_in_any_bytes_within_one_character(data: bytes, limit: int) -> None:
    if limit <= len(data):
        assert limit - 3 <= character_boundary(data, limit) <= limit
