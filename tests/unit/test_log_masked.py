"""A sink with secrets: what is kept holds none of them, and its offsets are those of what the program wrote."""

from hypothesis import given, settings
from hypothesis import strategies as st

from app.logs.records import RECORD_BYTES
from support.shelf import Shelf
from worker.engine.port import Piece, Stream
from worker.log_intake import QUIET_HELD_AFTER, QUIET_PARTIAL_AFTER, UNCOUNTED_AT_MOST
from worker.log_sink import ROLLING_INTERVAL, ROLLING_WINDOW_BYTES
from worker.masking import Masks
from worker.secret_forms import forms_of

SECRETS = ["correct horse battery", "abcabcabd", "line one\nline two\nend"]
MASKS = Masks.of(SECRETS)
FORMS = sorted({form for secret in SECRETS for form in forms_of(secret)})

words = st.one_of(
    st.sampled_from(FORMS),
    st.builds(lambda form, size: form[: size % len(form)], st.sampled_from(FORMS), st.integers(0, 100)),
    st.sampled_from([b"\n", b"text ", b"ab", b"\xff", "é".encode(), b"x" * (RECORD_BYTES - 3)]),
)
# What is written; whether a while passes afterwards, and whether it is committed.
writes = st.tuples(st.sampled_from(Stream), st.lists(words, max_size=3).map(b"".join), st.booleans(), st.booleans())
runs = st.lists(writes, max_size=12)


def wrote(run: list[tuple[Stream, bytes, bool, bool]], stream: Stream) -> bytes:
    return b"".join(data for on, data, _, _ in run if on is stream)


def out(data: bytes) -> Piece:
    return Piece(Stream.STDOUT, data)


async def play(shelf: Shelf, run: list[tuple[Stream, bytes, bool, bool]]) -> None:
    """By a worker that dies afterwards."""
    sink = shelf.sink(masks=MASKS)
    for stream, data, quiet, commit in run:
        await sink.feed(Piece(stream, data), patience=None)
        if quiet:
            sink.flush_quiet(float("inf"))
        if commit:
            shelf.now += ROLLING_INTERVAL
            shelf.commit(sink)


async def go_on(shelf: Shelf, run: list[tuple[Stream, bytes, bool, bool]]) -> None:
    """By one that reads all of it again, and takes what is new to it."""
    heir = shelf.sink(masks=MASKS)
    for stream in Stream:
        data, known = wrote(run, stream), heir.received(stream)
        heir.recall(stream, data[:known])
        await heir.feed(Piece(stream, data[known:]), patience=None)
    await shelf.drain(heir)


@given(runs, st.integers(0, 12))
async def test_nothing_of_a_secret_is_kept_also_if_another_goes_on(
    run: list[tuple[Stream, bytes, bool, bool]], until: int
) -> None:
    shelf = Shelf()
    await play(shelf, run[:until])
    assert shelf.head.out_bytes <= len(wrote(run[:until], Stream.STDOUT))
    await go_on(shelf, run)
    for stream in Stream:
        written = shelf.written(stream)
        assert not [form for form in FORMS if form in written]
        assert written.count(b"\n") == wrote(run, stream).count(b"\n")
    assert shelf.head.out_bytes <= len(wrote(run, Stream.STDOUT))
    assert shelf.head.err_bytes <= len(wrote(run, Stream.STDERR))


@given(runs)
async def test_the_offsets_are_those_of_what_was_written(run: list[tuple[Stream, bytes, bool, bool]]) -> None:
    """What is durable is what masking the program's own bytes up to the offset gives."""
    shelf = Shelf()
    sink = shelf.sink(masks=MASKS)
    assert MASKS is not None
    for stream, data, _, _ in run:
        await sink.feed(Piece(stream, data), patience=None)
        while shelf.commit(sink):
            pass
        up_to = wrote(run, Stream.STDOUT)[: shelf.head.out_bytes]
        if b"***" not in shelf.written("o")[-3:] and shelf.written("o")[-1:] != b"*":
            assert shelf.written("o") == MASKS.hide(up_to)
    await shelf.drain(sink)
    assert shelf.head.out_bytes == sink.received(Stream.STDOUT)
    assert shelf.head.err_bytes == sink.received(Stream.STDERR)
    for stream in Stream:
        assert shelf.written(stream) == MASKS.hide(wrote(run, stream))


@given(st.lists(words, max_size=30).map(b"".join))
@settings(max_examples=15)
async def test_what_is_left_out_beyond_the_cap_lets_nothing_through_at_the_cut(tail: bytes) -> None:
    shelf = Shelf()
    sink = shelf.sink(log_bytes=160 * 1024, masks=MASKS)
    flood = b"correct horse battery, and again\n" * (2 * ROLLING_WINDOW_BYTES // 32)
    await sink.feed(out(flood), patience=None)
    await sink.feed(out(tail + flood), patience=None)
    await shelf.drain(sink)
    assert shelf.head.truncated
    assert shelf.head.out_bytes == sink.received(Stream.STDOUT) == len(flood) * 2 + len(tail)
    written = flood + tail + flood
    assert shelf.head.next_seq - 1 >= written.count(b"\n")
    assert not [form for form in FORMS if form in shelf.written("o")]


async def test_a_secret_cut_between_records_is_covered() -> None:
    shelf = Shelf()
    sink = shelf.sink(masks=MASKS)
    await sink.feed(out(b"x" * (RECORD_BYTES - 8) + b"correct horse battery and more\n"), patience=None)
    await shelf.drain(sink)
    assert shelf.written("o") == b"x" * (RECORD_BYTES - 8) + b"*** and more\n"
    assert shelf.head.out_bytes == RECORD_BYTES - 8 + 31


async def test_a_few_bytes_are_shown_after_a_while_and_the_rest_is_covered() -> None:
    shelf = Shelf()
    sink = shelf.sink(masks=MASKS)
    await sink.feed(out(b"key: corr"), patience=None)
    fed_at = sink._intakes[Stream.STDOUT]._fed_at
    sink.flush_quiet(fed_at + QUIET_HELD_AFTER)
    sink.flush_quiet(fed_at + QUIET_PARTIAL_AFTER)
    shelf.commit(sink)
    assert shelf.written("o") == b"key: corr"
    assert shelf.head.out_bytes == 9
    await sink.feed(out(b"ect horse battery!\n"), patience=None)
    await shelf.drain(sink)
    assert shelf.written("o") == b"key: corr***!\n"


async def test_half_a_secret_is_neither_shown_nor_counted() -> None:
    shelf = Shelf()
    sink = shelf.sink(masks=MASKS)
    await sink.feed(out(b"done\nkey: correct horse"), patience=None)
    sink.flush_quiet(float("inf"))
    shelf.commit(sink)
    assert shelf.written("o") == b"done\nkey: "
    assert shelf.head.out_bytes == 10
    assert sink.received(Stream.STDOUT) == 23


async def test_our_own_lines_and_the_first_error_are_covered_too() -> None:
    shelf = Shelf()
    sink = shelf.sink(masks=MASKS)
    await sink.feed(Piece(Stream.STDERR, b"cannot log in with correct horse battery\n"), patience=None)
    sink.system("The engine said: correct horse battery.")
    await shelf.drain(sink)
    assert sink.first_error_line == b"cannot log in with ***"
    assert shelf.written("s") == b"The engine said: ***.\n"
    assert sink.hide("correct horse") == "***"


async def test_where_nobody_knows_the_secrets_nothing_of_the_program_is_kept() -> None:
    shelf = Shelf()
    sink = shelf.sink(blind=True)
    await sink.feed(out(b"correct horse battery\n"), patience=None)
    sink.system("Taken over.")
    shelf.now += ROLLING_INTERVAL
    shelf.commit(sink)
    gap, line = shelf.chunks
    assert (gap.gap, gap.first, gap.last) == ("masking_unavailable", 1, 1)
    assert b"Taken over." in (line.frame or b"")
    assert b"horse" not in (line.frame or b"")


async def test_what_is_covered_without_an_end_is_counted_and_charged_as_it_comes() -> None:
    shelf = Shelf()
    sink = shelf.sink(masks=MASKS)
    secret = SECRETS[0].encode()
    for _ in range(40):
        await sink.feed(out(secret * 200), patience=None)
        shelf.now += ROLLING_INTERVAL
        shelf.commit(sink)
    wrote_so_far = 40 * 200 * len(secret)
    # At most a mask's worth, and what completes it, is on its way to the next record.
    assert wrote_so_far - shelf.head.out_bytes <= 2 * UNCOUNTED_AT_MOST
    # The engine's own log has all of it: the cap of ours must not be further away than that of the engine's.
    assert shelf.head.charged >= shelf.head.out_bytes
    assert secret not in shelf.written(Stream.STDOUT)
