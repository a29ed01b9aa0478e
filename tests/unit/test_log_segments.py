from hypothesis import given
from hypothesis import strategies as st

from app.logs.segments import Chunk, compress, decompress, pack, unpack

raws = st.one_of(st.none(), st.binary(min_size=1, max_size=50))
frames = st.one_of(st.binary(max_size=200), st.integers(1, 200_000).map(lambda size: b"x" * size))


@st.composite
def consecutive(draw: st.DrawFn) -> list[Chunk]:
    """What is stored together; seqs may be as large as they get."""
    chunks: list[Chunk] = []
    first = draw(st.sampled_from([1, 7, 2**62]))
    for _ in range(draw(st.integers(1, 8))):
        last = first + draw(st.integers(0, 4))
        chunks.append(Chunk(first, last, draw(frames), draw(raws)))
        first = last + 1
    return chunks


@given(consecutive(), st.integers(-2, 30))
def test_the_frames_of_a_segment_are_those_that_went_in(chunks: list[Chunk], after: int) -> None:
    cursor = chunks[0].first + after
    assert list(unpack(pack(chunks))) == chunks
    assert list(unpack(pack(chunks), after=cursor)) == [chunk for chunk in chunks if chunk.last > cursor]


@given(frames)
def test_a_frame_is_the_same_after_it_was_stored(frame: bytes) -> None:
    assert decompress(compress(frame)) == frame


def test_much_that_is_alike_becomes_little() -> None:
    frames = [b'{"line": %d, "text": "%s"}' % (number, b"the same again and again " * 40) for number in range(200)]
    chunks = [Chunk(number + 1, number + 1, frame, None) for number, frame in enumerate(frames)]
    assert len(pack(chunks)) < sum(len(compress(frame)) for frame in frames) / 10
