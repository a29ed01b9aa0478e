"""Of what is beyond the cap of a log the end is kept, whatever its lines look like."""

from uuid import uuid4

import pytest

from app.executions.model import Lease
from app.logs.protocol import decode_lines
from worker.engine.port import Piece, Stream
from worker.log_blocks import Batch, Head
from worker.log_sink import LogSink

MIB = 2**20
ENDS = {
    "one long line": b"x" * MIB + b"end\n",
    "one long line without its newline": b"x" * MIB + b"end",
    "short lines, then a long one": b"a\n" * (MIB // 2) + b"x" * 200_000 + b"end\n",
    "a long line, then short ones": b"x" * MIB + b"\n" + b"a\n" * 100 + b"end\n",
    "short lines": b"a\n" * MIB + b"end\n",
    "empty lines": b"\n" * MIB + b"end\n",
}


def taken(sink: LogSink, *, now: float) -> list[Batch]:
    """All that it gives, confirmed at once."""
    batches = []
    while batch := sink.take(now):
        batches.append(batch)
        sink.confirm()
    return batches


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_the_end_of_a_flood_is_kept(end: bytes) -> None:
    head = Head(next_seq=1, out_bytes=0, err_bytes=0, total_bytes=0, charged=0, truncated=False)
    sink = LogSink(Lease(uuid4(), 1), head, log_bytes=MIB, wake=lambda: None)
    await sink.feed(Piece(Stream.STDOUT, b"b" * 100 + b"\n"), patience=None)
    await sink.feed(Piece(Stream.STDOUT, b"flood\n" * 200_000), patience=None)
    taken(sink, now=1000)
    assert sink.rolling
    await sink.feed(Piece(Stream.STDOUT, end), patience=None)
    sink.flush()
    batches = taken(sink, now=2000)
    lines = [line for batch in batches for chunk in batch.chunks for line in decode_lines(chunk.frame, chunk.raw)]
    kept = b"".join(line.data if line.continues else line.data + b"\n" for line in lines)
    assert kept[-4000:] == end[-len(kept) :][-4000:]
    assert batches[-1].after.out_bytes == 101 + 1_200_000 + len(end)
