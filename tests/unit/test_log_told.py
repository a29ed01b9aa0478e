"""What was told is durable with the line that tells it, and only then."""

from datetime import UTC, datetime

from support.shelf import EMPTY, Shelf
from worker.engine.port import Piece, Stream
from worker.told import NOTHING_TOLD, Step, Told

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)


async def test_a_line_and_that_it_was_told_are_committed_together() -> None:
    shelf = Shelf()
    sink = shelf.sink()
    sink.system("one", told=Told(1, 0))
    sink.system("two", at=AT, told=Told(2, Step.NOTICE.value))
    sink.system("by the way")
    assert (sink.told, shelf.head.told) == (Told(2, 1), NOTHING_TOLD)
    await shelf.drain(sink)
    assert shelf.head.told == Told(2, 1)
    assert [(line.text, line.letter) for line in shelf.lines()] == [("one", "s"), ("two", "s"), ("by the way", "s")]
    assert shelf.lines()[1].at_ms == 1000 * int(AT.timestamp())
    assert shelf.sink().told == Told(2, 1)


async def test_our_lines_are_no_output_of_the_program() -> None:
    shelf = Shelf()
    sink = shelf.sink()
    sink.system("told", told=Told(1, 0))
    await shelf.drain(sink)
    assert (shelf.head.out_bytes, shelf.head.err_bytes, shelf.head.total_bytes) == (0, 0, 0)


async def test_what_is_told_beyond_the_cap_or_left_out_of_it_is_told_all_the_same() -> None:
    for told_at in (50, 2_000, 4_000):
        shelf = Shelf()
        sink = shelf.sink(log_bytes=64 * 1024)
        for number in range(4_000):
            if number == told_at:
                sink.system("x" * 100, told=Told(7, 0))
            await sink.feed(Piece(Stream.STDOUT, b"line %d\n" % number), patience=None)
        if told_at == 4_000:
            sink.system("x" * 100, told=Told(7, 0))
        await shelf.drain(sink)
        assert shelf.head.told == Told(7, 0), told_at


async def test_a_line_of_ours_that_meets_the_cap_is_told_too() -> None:
    room = 64 * 1024 * 3 // 4
    for missing in range(1, 200, 7):
        shelf = Shelf()
        sink = shelf.sink(log_bytes=64 * 1024)
        await sink.feed(Piece(Stream.STDOUT, b"x" * (room - 32 * 3 - missing) + b"\n"), patience=None)
        sink.system("y" * 60, told=Told(1, 0))
        sink.system("z" * 60, told=Told(2, 0))
        await shelf.drain(sink)
        assert shelf.head.told == Told(2, 0)


def test_a_log_of_which_nothing_is_written_has_told_nothing() -> None:
    assert EMPTY.told == NOTHING_TOLD
