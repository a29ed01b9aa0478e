from hypothesis import given
from hypothesis import strategies as st

from app.listener import Heard
from app.logs.live import runs
from app.logs.protocol import (
    Entry,
    Kind,
    Message,
    decode_lines,
    encode_lines,
    gap_frame,
    holds_only,
    join_frames,
    pack_message,
)

entries = st.builds(
    Entry, st.integers(0, 2**45), st.sampled_from("oes"), st.text(max_size=30).map(str.encode), st.booleans()
)
batches = st.lists(st.lists(entries, min_size=1, max_size=4), min_size=1, max_size=5)


def lines_message(first: int, count: int = 1) -> Heard:
    frame, _ = encode_lines(first, [Entry(1, "o", b"line ]} [", continues=False)] * count)
    return Heard(pack_message(Message(Kind.LINES, first, first + count - 1, frame)))


@given(batches, st.integers(1, 2**40))
def test_frames_that_are_joined_are_the_frame_of_all_their_lines(lines: list[list[Entry]], first: int) -> None:
    frames, seq = [], first
    for batch in lines:
        frames.append(encode_lines(seq, batch)[0])
        seq += len(batch)
    together = [entry for batch in lines for entry in batch]
    assert join_frames(frames) == encode_lines(first, together)[0]


def test_what_continues_is_a_run_and_all_else_stands_alone() -> None:
    gap = Heard(pack_message(Message(Kind.GAP, 6, 9, gap_frame(6, 9, "log_limit"))))
    look = Heard(pack_message(Message(Kind.LOOK, 0, 0, b"")))
    heard = [lines_message(1, 2), lines_message(3), lines_message(5), gap, gap, lines_message(10), look]
    assert [[(live.first, live.last) for live in run] for run in runs(heard)] == [
        [(1, 2), (3, 3)],
        [(5, 5)],
        [(6, 9)],
        [(6, 9)],
        [(10, 10)],
        [(0, 0)],
    ]


def test_all_who_are_as_far_get_the_same_chunk_and_others_theirs() -> None:
    heard = [lines_message(1), lines_message(2), lines_message(3)]
    first, second, third = (next(runs([message]))[0] for message in heard)
    assert next(runs(heard)) == [first, second, third]
    chunk = first.joined([second, third])
    assert first.joined([second, third]) is chunk
    assert [line.seq for line in decode_lines(chunk.frame)] == [1, 2, 3]
    assert [line.seq for line in decode_lines(first.joined([second]).frame)] == [1, 2]
    assert second.joined([]).frame is second.frame


@given(st.lists(entries, min_size=1, max_size=5), st.sets(st.sampled_from("oes"), min_size=1))
def test_a_glance_at_a_frame_never_overlooks_a_line_of_another_stream(lines: list[Entry], letters: set[str]) -> None:
    if holds_only(encode_lines(1, lines)[0], letters):
        assert {entry.letter for entry in lines} <= letters


def test_a_glance_is_enough_for_a_flood_of_one_stream() -> None:
    frame, _ = encode_lines(1, [Entry(1, "o", b'"e", "s", \\"e",', continues=True)] * 3)
    assert holds_only(frame, {"o"})
    assert not holds_only(frame, {"e", "s"})
