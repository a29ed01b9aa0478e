"""Whatever a program writes, the log has it: every line once, in order per stream, every byte."""

import asyncio
import random
from itertools import pairwise

import pytest

from support.history import check_history
from support.logs import Follower, joined, raw_log
from support.running import Running

MIB = 2**20
LINES = "i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done"


async def whole(tailrace: Running, execution: str) -> Follower:
    """Its log, read to the end by a socket; the record and the totals of the end agree."""
    reader = Follower(tailrace, execution)
    await reader.read()
    record = await check_history(tailrace, execution)
    assert reader.end is not None
    assert (reader.end["status"], reader.end["cause"]) == (record["status"], record["cause"])
    assert (reader.end["lines"], reader.end["bytes"]) == (record["log"]["lines"], record["log"]["bytes"])
    assert reader.end["exit_code"] == record["exit_code"]
    return reader


async def printed(tailrace: Running, program: str, **fields: object) -> tuple[str, Follower]:
    """A Python program and its log."""
    execution = await tailrace.submit("python3", "-c", program, image="python:local", **fields)
    return execution, await whole(tailrace, execution)


async def check_short_ones(tailrace: Running, count: int) -> None:
    executions = await asyncio.gather(*(tailrace.submit("sh", "-c", LINES) for _ in range(count)))
    expected = "".join(f"line {number}\n" for number in range(500))
    for reader in await asyncio.gather(*(whole(tailrace, execution) for execution in executions)):
        assert reader.text() == expected
        assert not reader.gaps
        assert reader.statuses[-1] == "succeeded"
    texts = await asyncio.gather(*map(tailrace.log_text, executions))
    assert set(texts) == {expected}


async def test_short_containers_at_once_lose_no_line(tailrace: Running) -> None:
    await check_short_ones(tailrace, 20)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_short_containers_never_lose_a_line(tailrace: Running) -> None:
    for _ in range(20):
        await check_short_ones(tailrace, 20)


async def test_each_stream_keeps_its_own_order(tailrace: Running) -> None:
    program = """if True:
        import sys
        for number in range(3000):
            print("out", number, flush=True)
            print("err", number, file=sys.stderr, flush=True)
    """
    execution, reader = await printed(tailrace, program)
    for letter, stream in (("o", "out"), ("e", "err")):
        expected = "".join(f"{stream} {number}\n" for number in range(3000))
        assert reader.text(letter) == expected
        assert await tailrace.log_text(execution, streams=f"std{stream}") == expected


async def test_our_own_lines_frame_those_of_the_program(tailrace: Running) -> None:
    execution = await tailrace.submit("echo", "hi")
    reader = await whole(tailrace, execution)
    letters = [line[1] for line in reader.lines]
    assert letters[0] == letters[-1] == "s"
    assert "o" in letters
    assert reader.times == sorted(reader.times)
    assert await tailrace.log_text(execution) == "hi\n"
    assert "Finished with exit code 0" in await tailrace.log_text(execution, streams="system")


SMALL = {
    "no newline": ("print('no newline', end='')", b"no newline"),
    "no last newline": ("print('a\\nb', end='')", b"a\nb"),
    "an empty line": ("print()", b"\n"),
    "empty lines": ("print('\\n\\n', end='')", b"\n\n"),
    "carriage returns": ("print('carriage\\rreturn\\r')", b"carriage\rreturn\r\n"),
    "control characters": ("print('tab\\tbell\\a esc\\033[31m')", b"tab\tbell\a esc\033[31m\n"),
    "Unicode": ("print('ä→😀\\u2028\\x85 \\ufeff')", "ä→😀\u2028\x85 \ufeff\n".encode()),
    "nothing": ("pass", b""),
}


@pytest.fixture(scope="module")
async def small_ones(tailrace: Running) -> dict[str, str]:
    """All at once, so that each test only waits for the end of its own."""
    python = {"image": "python:local", "env": {"PYTHONIOENCODING": "utf-8"}}
    submissions = (tailrace.submit("python3", "-c", program, **python) for program, _ in SMALL.values())
    return dict(zip(SMALL, await asyncio.gather(*submissions), strict=True))


@pytest.mark.parametrize("output", SMALL)
async def test_comes_back_exactly(tailrace: Running, small_ones: dict[str, str], output: str) -> None:
    expected = SMALL[output][1]
    reader = await whole(tailrace, small_ones[output])
    assert await raw_log(tailrace, small_ones[output]) == expected
    # A socket cannot tell a last line without a newline from one that goes on.
    assert reader.text() == expected.decode()
    assert reader.end is not None
    assert reader.end["bytes"] == len(expected)


async def test_binary_garbage_is_downloaded_byte_by_byte(tailrace: Running) -> None:
    program = """if True:
        import random, sys
        data = random.Random(5).randbytes(300_000) + bytes(1000) + b"\\xff\\xfe\\n\\xc3" + b"\\xe2\\x82"
        for start in range(0, len(data), 7919):
            sys.stdout.buffer.write(data[start:start + 7919])
            sys.stdout.buffer.flush()
    """
    data = random.Random(5).randbytes(300_000)  # noqa: S311 - the program makes the same
    data += bytes(1000) + b"\xff\xfe\n\xc3" + b"\xe2\x82"
    execution, reader = await printed(tailrace, program)
    assert await raw_log(tailrace, execution) == data
    assert await raw_log(tailrace, execution, "stderr") == b""
    # Frames are JSON and therefore text: what is no text is shown as such.
    assert "\ufffd" in reader.text()
    assert "\0" in reader.text()
    assert reader.end is not None
    assert reader.end["bytes"] == len(data)


@pytest.mark.parametrize("character", ["x", "ä", "😀"])
async def test_a_line_of_a_mebibyte_comes_in_pieces_that_join(tailrace: Running, character: str) -> None:
    count = MIB // len(character.encode())
    program = f"print('before'); print('{character}' * {count}); print('after')"
    execution, reader = await printed(tailrace, program, env={"PYTHONIOENCODING": "utf-8"})
    expected = f"before\n{character * count}\nafter\n"
    assert reader.text() == expected
    pieces = [line for line in reader.lines if len(line) > 3]
    assert len(pieces) >= 63
    assert all(line[3] == "+" and len(line[2].encode()) <= 16_384 for line in pieces)
    assert "\ufffd" not in reader.text()
    assert await tailrace.log_text(execution) == expected
    assert await raw_log(tailrace, execution) == expected.encode()


async def test_long_lines_of_two_streams_do_not_cut_each_other(tailrace: Running) -> None:
    program = """if True:
        import os
        for _ in range(20):
            os.write(1, b"o" * 10_000)
            os.write(2, b"e" * 10_000)
        os.write(1, b"!\\n")
        os.write(2, b"!\\n")
    """
    execution, reader = await printed(tailrace, program)
    assert reader.text("o") == "o" * 200_000 + "!\n"
    assert reader.text("e") == "e" * 200_000 + "!\n"
    text = await tailrace.log_text(execution)
    assert sorted(text.splitlines()) == sorted(["o" * 200_000 + "!", "e" * 200_000 + "!"])


async def test_an_unfinished_line_is_shown_before_it_is_finished(tailrace: Running) -> None:
    program = "printf 'Password: '; while [ ! -f /tailrace/stop ]; do sleep 0.1; done; echo thanks"
    execution = await tailrace.submit("sh", "-c", program, limits={"grace": 300, "notice": 299})
    prompt = ""
    async with tailrace.tail(execution) as socket:
        while "Password: " not in prompt:
            message = await socket.recv()
            assert isinstance(message, str)
            prompt += message
    assert (await tailrace.execution(execution))["status"] == "running"
    await tailrace.cancel(execution)
    reader = await whole(tailrace, execution)
    assert reader.text() == "Password: thanks\n"


async def test_nine_megabytes_at_full_speed_are_all_there(tailrace: Running) -> None:
    program = (
        "awk 'BEGIN { for (i = 0; i < 200000; i++) printf \"%07d the quick brown fox jumps over the dog\\n\", i }'"
    )
    execution = await tailrace.submit("sh", "-c", program)
    reader = await whole(tailrace, execution)
    expected = "".join(f"{number:07d} the quick brown fox jumps over the dog\n" for number in range(200_000))
    assert len(expected) == 9_400_000
    assert reader.text() == expected
    assert not reader.gaps
    assert await raw_log(tailrace, execution) == expected.encode()


async def test_what_is_written_right_before_the_exit_is_there(tailrace: Running) -> None:
    program = "head -c 300000 /dev/zero | tr '\\0' x; echo; echo last; kill -9 $$"
    executions = [await tailrace.submit("sh", "-c", program) for _ in range(5)]
    for execution in executions:
        reader = await whole(tailrace, execution)
        assert reader.text() == "x" * 300_000 + "\nlast\n"


@pytest.mark.slow
async def test_a_million_empty_lines_are_a_million_lines(tailrace: Running) -> None:
    program = 'awk \'BEGIN { for (i = 0; i < 1000000; i++) print ""; print "end" }\''
    execution = await tailrace.submit("sh", "-c", program)
    reader = await whole(tailrace, execution)
    lines = [line[2] for line in reader.lines if line[1] == "o"]
    assert len(lines) == 1_000_001
    assert not any(lines[:-1])
    assert lines[-1] == "end"
    assert not reader.gaps


def assert_capped(reader: Follower, last: int, cap: int) -> None:
    """The numbered lines of a flood beyond its cap: the head whole, the end there, and gaps for all that is not."""
    numbers = [int(line[2].split()[0]) for line in reader.lines if line[1] == "o"]
    steps = [after - before for before, after in pairwise(numbers)]
    assert numbers[0] == 0
    assert numbers[-1] == last
    assert min(steps) == 1
    # Three quarters of the cap are the head; every record is charged its bytes and 32.
    head = next(index for index, step in enumerate(steps, 1) if step > 1)
    charged = sum(len(line[2]) + 32 for line in [line for line in reader.lines if line[1] == "o"][:head])
    assert cap * 0.70 < charged <= cap * 0.75
    kept = sum(len(line[2]) + 32 for line in reader.lines)
    assert kept <= cap * 1.05
    assert {gap["reason"] for gap in reader.gaps} == {"log_limit"}
    missing = sum(gap["to"] - gap["from"] + 1 for gap in reader.gaps)
    assert sum(steps) - len(steps) == missing


FLOOD = "awk 'BEGIN { for (i = 0; i < %d; i++) printf \"%%08d 0123456789012345678901234567890123456789\\n\", i }'"


async def check_flood(tailrace: Running, lines: int, cap: int) -> None:
    execution = await tailrace.submit("sh", "-c", FLOOD % lines, limits={"log_bytes": cap})
    live = await whole(tailrace, execution)
    record = await tailrace.execution(execution)
    assert (record["status"], record["log"]["truncated"], record["log"]["complete"]) == ("succeeded", True, True)
    assert record["log"]["bytes"] == lines * 50
    later = await whole(tailrace, execution)
    assert_capped(later, lines - 1, cap)
    # Somebody who watched live saw at least what is kept; what both saw is the same.
    assert later.text() in live.text() or set(later.text().splitlines()) <= set(live.text().splitlines())
    text = await tailrace.log_text(execution)
    assert "are not kept: log_limit" in text
    assert text.endswith(f"{lines - 1:08d} 0123456789012345678901234567890123456789\n")


async def test_a_flood_beyond_its_cap_keeps_head_and_end_and_says_what_is_missing(tailrace: Running) -> None:
    await check_flood(tailrace, 400_000, 2 * MIB)


@pytest.mark.parametrize("end", ["", "; echo end"], ids=["open", "closed"])
async def test_of_a_line_without_end_the_end_is_kept(tailrace: Running, end: str) -> None:
    program = f"head -c 20000000 /dev/zero | tr '\\0' x; printf 'the last of it'{end}"
    execution = await tailrace.submit("sh", "-c", program, limits={"log_bytes": MIB})
    for reader in (await whole(tailrace, execution), await whole(tailrace, execution)):
        assert reader.text().endswith("xxxthe last of it" + ("end\n" if end else ""))
        assert {gap["reason"] for gap in reader.gaps} == {"log_limit"}
        assert reader.end is not None
        assert reader.end["bytes"] == 20_000_014 + (4 if end else 0)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_two_hundred_mebibytes_beyond_a_small_cap(tailrace: Running) -> None:
    await check_flood(tailrace, 4_200_000, 2 * MIB)


async def test_a_flood_does_not_hold_up_its_neighbours(tailrace: Running) -> None:
    flood = await tailrace.submit("yes", "flood", limits={"log_bytes": MIB, "grace": 1})
    await tailrace.reaches(flood, "running")
    neighbours = [await tailrace.submit("sh", "-c", LINES) for _ in range(3)]
    for execution in neighbours:
        reader = await whole(tailrace, execution)
        assert reader.text() == "".join(f"line {number}\n" for number in range(500))
    assert (await tailrace.execution(flood))["status"] == "running"
    await tailrace.cancel(flood, force=True)
    reader = await whole(tailrace, flood)
    assert set(joined(reader.lines, "o").splitlines()[:-1]) == {"flood"}
