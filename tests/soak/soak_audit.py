"""Afterwards: what the users were told and saw, against the record, the log and the programs' own sums."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import pairwise
from typing import Any

from soak_clients import Order
from soak_programs import Program, check_order, check_output, joined

from support.running import Json, Running

ASKED = {"canceled", "succeeded"}


# What becomes of a program whose engine breaks, if that ended it or hid its end.
BROKEN = {("crashed", "interrupted"), ("crashed", "outcome_unknown")}


async def audit(installation: Running, order: Order, *, engine_breaks: bool) -> AsyncIterator[str]:
    """What is wrong with one execution. Where the engine breaks, it may be interrupted, and lines may be lost."""
    record, attempts = order.record, await _items(installation, order, "attempts")
    assert record is not None
    for complaint in (
        *_check_end(order, record, attempts, engine_breaks=engine_breaks),
        *_check_attempts(order, record, attempts),
    ):
        yield complaint
    lines = await _replay(installation, order)
    order.taken_over = sum(letter == "s" and text.startswith("Taken over") for _, letter, text in lines)
    ran = any(attempt["may_have_run"] for attempt in attempts)
    if order.resumes and ran and not any(text.startswith("The checkpoint of") for _, _, text in lines):
        yield "it did not go on from the checkpoint"
    whole = record["log"]["complete"]
    if whole and [seq for seq, _, _ in lines] != list(range(1, record["log"]["lines"] + 1)):
        yield f"the log has {len(lines)} lines, the record counts {record['log']['lines']}"
    if order.follower is not None and (why := _check_follower(order, lines)):
        yield why
    for attempt in attempts:
        of_attempt = [line for line in lines if attempt["log"]["after"] < line[0] <= attempt["log"]["last"]]
        if not whole:
            for letter in "oe":
                for complaint in check_order(letter, [text for _, of, text in of_attempt if of == letter]):
                    yield f"attempt {attempt['number']}: {complaint}"
            continue
        async for complaint in _check_output(installation, order, attempt, of_attempt):
            yield f"attempt {attempt['number']}: {complaint}"


Line = tuple[int, str, str]


def _check_end(order: Order, record: Json, attempts: Sequence[Json], *, engine_breaks: bool) -> Iterator[str]:
    program, end = order.program, (record["status"], record["cause"])
    if engine_breaks and end in BROKEN:
        return
    expected = (program.status, program.cause)
    if order.canceled is None and end != expected:
        yield f"it ended {end}, and should have {expected}: {record['message']}"
    if order.canceled is not None and not _may_end(program, record, attempts):
        yield f"it was canceled, and ended {end}: {record['message']}"
    if not record["log"]["complete"] and not engine_breaks:
        yield "its log is not complete"
    if record["log"]["truncated"]:
        yield "its log is truncated"


def _may_end(program: Program, record: Json, attempts: Sequence[Json]) -> bool:
    """Whether what was canceled may end so. An exit that came before the request stays what it was."""
    if record["status"] in ASKED or record["status"] == program.status == "timed_out":
        return True
    return record["status"] == "failed" and attempts[-1]["exited_at"] <= record["stop"]["requested_at"]


def _check_attempts(order: Order, record: Json, attempts: Sequence[Json]) -> Iterator[str]:
    if [attempt["number"] for attempt in attempts] != list(range(1, record["attempt"] + 1)):
        yield f"its attempts are numbered {[attempt['number'] for attempt in attempts]}"
    ran = [attempt for attempt in attempts if attempt["may_have_run"]]
    if len(ran) > order.program.attempts:
        yield f"{len(ran)} attempts may have run, of {order.program.attempts}"
    # It looks at the number of its attempt, and those that never ran have one too.
    codes = [attempt["exit_code"] for attempt in ran]
    foreseen = [7 if attempt["number"] < order.program.attempts else 0 for attempt in ran]
    if order.canceled is None and record["status"] == "succeeded" and codes != foreseen:
        yield f"its attempts ended with {codes}, and should have with {foreseen}"
    if attempts and attempts[-1]["log"]["last"] != record["log"]["lines"]:
        yield f"its log has {record['log']['lines']} lines, the last attempt ends at {attempts[-1]['log']['last']}"
    for before, after in pairwise(attempts):
        if before["finished_at"] > after["claimed_at"]:
            yield f"attempt {after['number']} began before attempt {before['number']} had ended"


def _check_follower(order: Order, lines: Sequence[Line]) -> str | None:
    follower = order.follower
    if follower is None or follower.end is None:
        return "whoever followed it did not see the end"
    seen = [(line[1], line[2]) for line in follower.lines]
    if seen != [(letter, text) for _, letter, text in lines]:
        return f"whoever followed it saw {len(seen)} lines, and not those of the log"
    return None


async def _check_output(
    installation: Running, order: Order, attempt: Json, lines: Sequence[Line]
) -> AsyncIterator[str]:
    ran = attempt["started_at"] is not None
    for letter in "oe":
        said = [text for _, of, text in lines if of == letter]
        if said and not ran:
            yield f"it never started, and {letter} has {said[:3]}"
            continue
        for complaint in check_output(order.program, letter, said, attempt["exit_code"]):
            yield complaint
        if ran and attempt["number"] == (order.record or {})["attempt"]:
            kept = await _kept(installation, order, letter)
            body = joined(said[:-1] if said and said[-1].startswith("sum ") else said)
            # Killed between its two writings of a line.
            if body != kept and (attempt["exit_code"] != 137 or not _differ_by_a_line(body, kept)):
                yield f"{letter} has {len(body)} bytes in the log, {len(kept)} in the outputs"


def _differ_by_a_line(one: bytes, other: bytes) -> bool:
    shorter, longer = sorted((one, other), key=len)
    return longer.startswith(shorter) and longer[len(shorter) :].count(b"\n") <= 1


async def _kept(installation: Running, order: Order, name: str) -> bytes:
    response = await installation.request("GET", f"/v1/executions/{order.execution}/outputs/{name}")
    return response.content if response.status_code == 200 else b""


async def _items(installation: Running, order: Order, what: str) -> list[Any]:
    items: list[Any] = (await installation.get(f"/v1/executions/{order.execution}/{what}"))["items"]
    return items


async def _replay(installation: Running, order: Order) -> list[Line]:
    frames = await installation.frames(order.execution)
    return [
        (frame["first"] + index, line[1], line[2])
        for frame in frames
        if frame["type"] == "lines"
        for index, line in enumerate(frame["lines"])
    ]


async def evidence(installation: Running, order: Order) -> str:
    """All that tells what happened to one execution."""
    parts = [f"=== {order.execution} {order.program}, canceled {order.canceled}, {order.cuts} cuts"]
    if order.execution:
        parts.append(str(await installation.execution(order.execution)))
        for what in ("events", "attempts"):
            parts += [f"{what}:", *map(str, await _items(installation, order, what))]
        said = [line for line in installation.log.read_text(errors="replace").splitlines() if order.execution in line]
        parts += ["processes:", *said[-200:]]
    return "\n".join(parts)
