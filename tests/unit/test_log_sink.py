import asyncio
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.logs.records import RECORD_BYTES, RECORD_OVERHEAD
from support.shelf import LEASE, Shelf
from worker.engine.port import Piece, Stream
from worker.log_intake import QUIET_PARTIAL_AFTER
from worker.log_sink import (
    BATCH_BYTES,
    BUFFER_BYTES,
    CHUNK_BYTES,
    ROLLING_INTERVAL,
    ROLLING_WINDOW_BYTES,
    Fenced,
    LogSink,
    Stalled,
)
from worker.masking import Masks

KIB = 1024
# A piece of output is a unit and how often it comes; then the writer does nothing, commits, or its answer is lost.
units = st.one_of(st.binary(max_size=8), st.sampled_from([b"a", b"line\n", b"\n", b"\xff", "é".encode(), b"\r"]))
counts = st.one_of(st.integers(0, 20), st.integers(2_000, 6_000))
Output = tuple[Stream, bytes, int, str]
outputs = st.tuples(st.sampled_from(Stream), units, counts, st.sampled_from(["nothing", "commit", "lost answer"]))
runs = st.lists(outputs, max_size=8)
FLOOD: list[Output] = [(Stream.STDOUT, b"%06d %s\n" % (number, b"x" * 900), 10, "commit") for number in range(50)]


def out(data: bytes) -> Piece:
    return Piece(Stream.STDOUT, data)


def written_by(run: list[Output], stream: Stream) -> bytes:
    return b"".join(unit * count for wrote, unit, count, _ in run if wrote is stream)


async def fill(sink: LogSink) -> None:
    """Until it has no room."""
    with pytest.raises(Stalled):
        await sink.feed(out(b"x" * (2 * BUFFER_BYTES)), patience=0)


async def play(shelf: Shelf, sink: LogSink, run: list[Output]) -> None:
    for stream, unit, count, then in run:
        await sink.feed(Piece(stream, unit * count), patience=None)
        shelf.now += ROLLING_INTERVAL / 2
        if then != "nothing":
            shelf.commit(sink, answered=then == "commit")


@given(runs)
@settings(max_examples=40)
async def test_a_log_below_its_cap_has_every_byte_once_and_in_order(run: list[Output]) -> None:
    shelf = Shelf()
    sink = shelf.sink()
    await play(shelf, sink, run)
    await shelf.drain(sink)
    for stream in Stream:
        assert shelf.written(stream) == written_by(run, stream)
    assert [line.seq for line in shelf.lines()] == list(range(1, shelf.head.next_seq))
    assert not shelf.head.truncated
    assert shelf.head.charged == shelf.charge


@given(runs)
@settings(max_examples=40)
async def test_the_offsets_count_the_raw_bytes_that_are_durable(run: list[Output]) -> None:
    shelf = Shelf()
    sink = shelf.sink()
    for output in run:
        await play(shelf, sink, [output])
        assert shelf.head.out_bytes == len(shelf.written("o"))
        assert shelf.head.err_bytes == len(shelf.written("e"))
    await shelf.drain(sink)
    assert shelf.head.out_bytes == sink.received(Stream.STDOUT) == len(written_by(run, Stream.STDOUT))
    assert shelf.head.err_bytes == sink.received(Stream.STDERR) == len(written_by(run, Stream.STDERR))
    assert shelf.head.total_bytes == shelf.head.out_bytes + shelf.head.err_bytes


@given(runs, st.integers(0, 12))
async def test_whoever_goes_on_behind_the_offsets_completes_the_log(run: list[Output], until: int) -> None:
    """The first worker dies at any moment; the second reads the streams again, behind what is durable."""
    shelf = Shelf()
    await play(shelf, shelf.sink(), run[:until])
    heir = shelf.sink()
    for stream in Stream:
        rest = written_by(run, stream)[heir.received(stream) :]
        await heir.feed(Piece(stream, rest), patience=None)
    await shelf.drain(heir)
    for stream in Stream:
        assert shelf.written(stream) == written_by(run, stream)


@given(runs, st.integers(160 * KIB, 256 * KIB))
async def test_a_log_beyond_its_cap_keeps_its_head_and_its_very_last_lines(run: list[Output], log_bytes: int) -> None:
    shelf = Shelf()
    sink = shelf.sink(log_bytes=log_bytes)
    await play(shelf, sink, [*run, *FLOOD])
    sink.flush()
    sink.system("the end")
    await shelf.drain(sink)
    assert shelf.head.truncated
    head = [chunk for chunk in shelf.chunks if not chunk.rolling]
    kept = sum(chunk.charge for chunk in head)
    assert log_bytes * 3 // 4 - RECORD_BYTES - RECORD_OVERHEAD <= kept <= log_bytes * 3 // 4
    tail = shelf.charge - kept
    assert log_bytes // 8 < tail <= log_bytes // 4 + RECORD_BYTES + RECORD_OVERHEAD
    # The head is what was written first, without a hole.
    assert [chunk.first for chunk in head] == [1, *(chunk.last + 1 for chunk in head[:-1])]
    *_, last = shelf.lines()
    assert (last.letter, last.text, last.seq) == ("s", "the end", shelf.head.next_seq - 1)
    assert [line.text for line in shelf.lines() if line.letter == "o"][-1].startswith("000049 ")


@given(runs)
@settings(max_examples=40)
async def test_beyond_the_cap_every_line_still_has_its_seq_and_every_byte_its_offset(
    run: list[Output],
) -> None:
    whole, capped = Shelf(), Shelf()
    for shelf, log_bytes in ((whole, 2**40), (capped, 64 * KIB)):
        sink = shelf.sink(log_bytes=log_bytes)
        await play(shelf, sink, [*FLOOD, *run])
        await shelf.drain(sink)
    assert capped.head.truncated
    for name in ("next_seq", "out_bytes", "err_bytes", "total_bytes"):
        assert getattr(capped.head, name) == getattr(whole.head, name)
    written = {line.seq: (line.letter, line.data) for line in whole.lines()}
    assert [line for line in capped.lines() if written[line.seq] != (line.letter, line.data)] == []


async def test_the_tail_of_a_capped_log_is_the_newest_quarter() -> None:
    log_bytes = 2 * 2**20
    shelf = Shelf()
    sink = shelf.sink(log_bytes=log_bytes)
    for number in range(4000):
        await sink.feed(out(b"%06d %s\n" % (number, b"x" * 1000)), patience=None)
        shelf.now += 0.002
        shelf.commit(sink)
    await shelf.drain(sink)
    tail = [chunk for chunk in shelf.chunks if chunk.rolling]
    size = sum(chunk.charge for chunk in tail)
    assert log_bytes // 4 - CHUNK_BYTES - RECORD_BYTES < size <= log_bytes // 4
    # Read slowly enough, nothing within the tail is missing.
    assert [chunk.first for chunk in tail[1:]] == [chunk.last + 1 for chunk in tail[:-1]]
    assert shelf.lines()[-1].text.startswith("003999 ")


async def test_of_a_flood_beyond_the_cap_at_most_so_much_is_committed_at_a_time() -> None:
    shelf = Shelf()
    sink = shelf.sink(log_bytes=64 * KIB)
    await sink.feed(out((b"x" * 999 + b"\n") * 3000), patience=None)
    while shelf.commit(sink):
        pass
    rolling = [chunk for chunk in shelf.chunks if chunk.rolling]
    assert sum(chunk.charge for chunk in rolling) <= min(ROLLING_WINDOW_BYTES, 16 * KIB)
    assert shelf.dropped > 2000
    assert shelf.head.next_seq == 3001
    await sink.feed(out(b"more\n"), patience=None)
    assert not shelf.commit(sink)
    shelf.now += ROLLING_INTERVAL
    assert shelf.commit(sink)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(Stream),
            st.sampled_from([b"\n", b"ab\n", b"x" * 99 + b"\n", b"no newline"]),
            st.integers(0, 60_000),
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=25)
async def test_a_flood_beyond_the_cap_is_counted_to_the_byte_and_ends_with_its_last_line(
    floods: list[tuple[Stream, bytes, int]],
) -> None:
    """Read from the engine's own log it comes in large pieces, of which most is not even cut into lines.

    The tail is wide enough for an unfinished line of the other stream, which comes after the last one at the end.
    """
    shelf = Shelf()
    sink = shelf.sink(log_bytes=256 * KIB)
    for _ in range(4):
        await play(shelf, sink, FLOOD)
    before = dict(shelf.received(sink))
    for stream, unit, count in floods:
        await sink.feed(Piece(stream, unit * count), patience=None)
        shelf.now += ROLLING_INTERVAL
        shelf.commit(sink)
    await sink.feed(out(b"\nthe last line\n"), patience=None)
    await shelf.drain(sink)
    sizes = {stream: sum(len(unit) * count for to, unit, count in floods if to is stream) for stream in Stream}
    sizes[Stream.STDOUT] += len(b"\nthe last line\n")
    assert shelf.received(sink) == {stream: before[stream] + sizes[stream] for stream in Stream}
    assert (shelf.head.out_bytes, shelf.head.err_bytes) == tuple(shelf.received(sink).values())
    assert shelf.head.next_seq == shelf.lines()[-1].seq + 1
    assert [line.text for line in shelf.lines() if line.letter == "o"][-1] == "the last line"
    assert shelf.charge <= 256 * KIB + RECORD_BYTES


async def test_the_worker_that_takes_over_a_capped_log_goes_on_in_its_tail() -> None:
    shelf = Shelf()
    first = shelf.sink(log_bytes=64 * KIB)
    await play(shelf, first, FLOOD)
    head = [chunk for chunk in shelf.chunks if not chunk.rolling]
    heir = shelf.sink(log_bytes=64 * KIB)
    assert heir.rolling
    for _ in range(20):
        await heir.feed(out(b"c\n" * 1000), patience=None)
        shelf.now += ROLLING_INTERVAL
        shelf.commit(heir)
    await shelf.drain(heir)
    assert [chunk for chunk in shelf.chunks if not chunk.rolling] == head
    assert shelf.charge <= 64 * KIB + RECORD_BYTES
    assert shelf.lines()[-1].text == "c"


async def test_batches_and_chunks_are_bounded() -> None:
    shelf = Shelf()
    sink = shelf.sink()
    await sink.feed(out(b"x" * (3 * 2**20)), patience=None)
    batch = sink.take(shelf.now)
    assert batch is not None
    assert sum(chunk.charge for chunk in batch.chunks) <= BATCH_BYTES + RECORD_BYTES + RECORD_OVERHEAD
    assert max(chunk.charge for chunk in batch.chunks) <= CHUNK_BYTES + RECORD_BYTES + RECORD_OVERHEAD
    assert len(batch.chunks) > 1


async def test_the_same_batch_is_given_until_it_is_confirmed() -> None:
    shelf = Shelf()
    sink = shelf.sink()
    await sink.feed(out(b"one\n"), patience=None)
    first = sink.take(shelf.now)
    await sink.feed(out(b"two\n"), patience=None)
    assert sink.take(shelf.now) is first
    sink.confirm()
    assert first is not None
    second = sink.take(shelf.now)
    assert second is not None
    assert second.before == first.after


@pytest.mark.parametrize("masks", [None, Masks([b"a secret"])], ids=["plain", "masked"])
async def test_a_line_that_goes_on_and_on_is_shown_as_it_goes(masks: Masks | None) -> None:
    shelf = Shelf()
    sink = shelf.sink(masks=masks)
    await sink.feed(out(b"ended\n."), patience=None)
    begun_at = sink._intakes[Stream.STDOUT]._fed_at
    # Whatever follows, and however soon.
    await sink.feed(out(b".."), patience=None)
    sink.flush_quiet(begun_at + QUIET_PARTIAL_AFTER)
    assert shelf.commit(sink)
    await sink.feed(out(b"."), patience=None)
    sink.flush_quiet(sink._intakes[Stream.STDOUT]._fed_at + QUIET_PARTIAL_AFTER / 2)
    assert not shelf.commit(sink)
    await shelf.drain(sink)
    assert [(line.text, line.continues) for line in shelf.lines()] == [("ended", False), ("...", True), (".", True)]


async def test_a_quiet_partial_line_is_shown_as_one_that_goes_on() -> None:
    shelf = Shelf()
    sink = shelf.sink()
    await sink.feed(out("name? é".encode()[:-1]), patience=None)
    fed_at = sink._intakes[Stream.STDOUT]._fed_at
    sink.flush_quiet(fed_at + QUIET_PARTIAL_AFTER / 2)
    assert not shelf.commit(sink)
    sink.flush_quiet(fed_at + QUIET_PARTIAL_AFTER)
    assert shelf.commit(sink)
    sink.flush_quiet(fed_at + 99)
    assert not shelf.commit(sink)
    await sink.feed(out("é".encode()[1:] + b"\n"), patience=None)
    shelf.commit(sink)
    assert [(line.text, line.continues) for line in shelf.lines()] == [("name? ", True), ("é", False)]


async def test_a_reader_waits_while_the_buffer_is_full_and_goes_on_when_it_was_written() -> None:
    shelf = Shelf()
    sink = shelf.sink()
    await fill(sink)
    feeding = asyncio.create_task(sink.feed(out(b"more\n"), patience=None))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not feeding.done()
    while shelf.commit(sink):
        pass
    await feeding
    await shelf.drain(sink)
    assert shelf.written("o").endswith(b"xmore\n")


async def test_a_reader_that_has_no_time_is_told_and_nothing_of_its_piece_is_lost() -> None:
    shelf = Shelf()
    sink = shelf.sink()
    data = b"x" * (BUFFER_BYTES + 10 * RECORD_BYTES)
    with pytest.raises(Stalled):
        await sink.feed(out(data), patience=0.01)
    taken = sink.received(Stream.STDOUT)
    assert 0 < taken < len(data)
    while shelf.commit(sink):
        pass
    await sink.feed(out(data[taken:]), patience=0.01)
    await shelf.drain(sink)
    assert shelf.written("o") == data


@pytest.mark.parametrize("error", [Fenced(), ValueError("cannot be written")])
async def test_a_log_that_is_refused_says_why_to_whoever_feeds_it(error: Exception) -> None:
    shelf = Shelf()
    sink = shelf.sink()
    await fill(sink)
    waiting = [
        asyncio.create_task(sink.feed(out(b"more\n"), patience=None)),
        asyncio.create_task(sink.drain()),
    ]
    await asyncio.sleep(0)
    sink.refuse(error)
    assert await asyncio.gather(*waiting, return_exceptions=True) == [error, error]
    with pytest.raises(type(error)):
        await sink.feed(out(b"again\n"), patience=None)
    assert sink.take(shelf.now) is None


async def test_the_first_line_on_stderr_is_remembered() -> None:
    sink = Shelf().sink()
    await sink.feed(out(b"out\n"), patience=None)
    assert sink.first_error_line is None
    await sink.feed(Piece(Stream.STDERR, b"fir"), patience=None)
    await sink.feed(Piece(Stream.STDERR, b"st\nsecond\n"), patience=None)
    assert sink.first_error_line == b"first"


async def test_lines_have_the_engines_time_where_it_gives_one() -> None:
    shelf = Shelf()
    sink = shelf.sink()
    await sink.feed(Piece(Stream.STDOUT, b"a\n", 1234), patience=None)
    await sink.feed(out(b"b\n"), patience=None)
    shelf.commit(sink)
    first, second = shelf.lines()
    assert first.at_ms == 1234
    assert second.at_ms > 1_600_000_000_000
    assert sink.lease == LEASE


async def test_draining_twice_is_draining_once() -> None:
    shelf = Shelf()
    sink = shelf.sink()
    await sink.feed(out(b"half"), patience=None)
    await shelf.drain(sink)
    await shelf.drain(sink)
    assert [line.text for line in shelf.lines()] == ["half"]
    assert list(itertools.chain.from_iterable([chunk.first, chunk.last] for chunk in shelf.chunks)) == [1, 1]
