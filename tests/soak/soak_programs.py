"""Programs whose every line is known beforehand, and who sum up themselves what they have said."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any

# Whatever it prints it also keeps in its outputs, one file per stream. The last line of a stream is the hash of what
# it has printed there before; only SIGKILL prevents that.
SCRIPT = """
exec 3>>/tailrace/outputs/o 4>>/tailrace/outputs/e
say() { printf '%s\\n' "o $1"; printf '%s\\n' "o $1" >&3; printf '%s\\n' "e $1" >&2; printf '%s\\n' "e $1" >&4; }
finish() {
    o=$(sha256sum < /tailrace/outputs/o) e=$(sha256sum < /tailrace/outputs/e)
    echo "sum ${o%% *}"; echo "sum ${e%% *}" >&2
    exit "$1"
}
stop=
if [ -n "$STUBBORN" ]; then trap '' TERM; else trap 'stop=1' TERM; fi
if [ -n "$CHECKPOINTS" ]; then echo '{"checkpoints": true}' >> /tailrace/events; fi
i=$(cat /tailrace/checkpoint/i 2>/dev/null || echo 0)
say "from $i"
while [ $i -lt $TICKS ]; do
    i=$((i + 1)) j=0
    while [ $j -lt $LINES ]; do j=$((j + 1)); say "$i $j"; done
    if [ -n "$CHECKPOINTS" ]; then
        echo $i > /tailrace/checkpoint/new && mv /tailrace/checkpoint/new /tailrace/checkpoint/i
        if [ -f /tailrace/stop ]; then finish 85; fi
    fi
    sleep $PAUSE & wait $!
    if [ -n "$stop" ]; then finish 143; fi
done
if [ $TAILRACE_ATTEMPT -lt $SUCCEEDS_AT ]; then finish 7; fi
finish $CODE
"""
OWN_ENDS = frozenset({0, 3, 7})
ASKED_TO_STOP = frozenset({85, 143})


@dataclass(frozen=True, kw_only=True)
class Program:
    """One submission, and how it must end if nobody cancels it."""

    kind: str
    ticks: int
    lines: int
    pause: float
    status: str = "succeeded"
    cause: str = "ok"
    code: int = 0
    attempts: int = 1
    stubborn: bool = False
    checkpoints: bool = False
    grace: int = 4
    limits: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """How long it may run, with something for a busy machine."""
        asleep = min(self.ticks * self.pause, float(self.limits.get("timeout", 3600)) + self.grace)
        return self.attempts * (2 * asleep + self.ticks * self.lines / 500 + 2)

    @property
    def body(self) -> dict[str, Any]:
        """The submission."""
        numbers = {"TICKS": self.ticks, "LINES": self.lines, "PAUSE": self.pause, "CODE": self.code}
        words = {"STUBBORN": self.stubborn, "CHECKPOINTS": self.checkpoints}
        return {
            "image": "busybox:local",
            "command": ["sh", "-c", SCRIPT],
            "env": {name: str(value) for name, value in numbers.items()}
            | {name: "yes" if value else "" for name, value in words.items()}
            | {"SUCCEEDS_AT": str(self.attempts)},
            "labels": {"kind": self.kind},
            "limits": {"grace": self.grace, "memory": "64MiB", "cpus": 0.5, **self.limits},
            **({"max_attempts": self.attempts, "retry_on": [7]} if self.attempts > 1 else {}),
        }


def draw(random: Random) -> Program:
    """One of the kinds, of a random size."""
    ticks, pause = random.randint(2, 12), random.choice([0.1, 0.3, 1.0])
    lines = random.choice([1, 1, 5, 20])
    kind = random.choice(["plain"] * 4 + ["quick", "failing", "retrying", "stubborn", "saving", "flooding", "endless"])
    size: dict[str, Any] = {"kind": kind, "ticks": ticks, "lines": lines, "pause": pause}
    match kind:
        case "quick":
            size |= {"ticks": 1, "lines": 1, "pause": 0}
        case "failing":
            size |= {"code": 3, "status": "failed", "cause": "exit_nonzero"}
        case "retrying":
            size |= {"attempts": random.choice([2, 3]), "ticks": random.randint(1, 4)}
        case "stubborn":
            size |= {"stubborn": True, "grace": 2}
        case "saving":
            size |= {"checkpoints": True}
        case "flooding":
            size |= {"ticks": 4, "lines": random.choice([500, 2000])}
        case "endless":
            timed_out = {"status": "timed_out", "cause": "run_timeout", "limits": {"timeout": random.randint(1, 5)}}
            size |= {"ticks": 10_000, "pause": 0.3, **timed_out}
    return Program(**size)


def check_output(program: Program, letter: str, lines: Sequence[str], exit_code: int | None) -> Iterator[str]:
    """What is wrong with the lines of one stream of one attempt that ended so."""
    if not lines and exit_code not in OWN_ENDS:
        return  # it was stopped before it could say or heed anything
    if not lines or not lines[0].startswith(f"{letter} from "):
        yield f"{letter} begins with {lines[:1]}, with exit code {exit_code}"
        return
    first = int(lines[0].split()[2])
    if first and not program.checkpoints:
        yield f"{letter} begins at {first}"
    body, sum_ = (lines[:-1], lines[-1]) if lines[-1].startswith("sum ") else (lines, None)
    ticks = ((i, j) for i in range(first + 1, program.ticks + 1) for j in range(1, program.lines + 1))
    for number, (line, expected) in enumerate(zip(body[1:], ticks, strict=False), 2):
        if line != f"{letter} {expected[0]} {expected[1]}":
            yield f"{letter} has {line!r} as its line {number}, where {letter} {expected} was to come"
            return
    whole = 1 + (program.ticks - first) * program.lines
    if len(body) > whole or (exit_code in OWN_ENDS and len(body) != whole):
        yield f"{letter} has {len(body)} lines of {whole}, with exit code {exit_code}"
    if sum_ is None and exit_code in OWN_ENDS | ASKED_TO_STOP:
        yield f"{letter} has no sum after {len(body)} lines, with exit code {exit_code}"
    if sum_ is not None and sum_ != f"sum {hashlib.sha256(joined(body)).hexdigest()}":
        yield f"{letter} is not what the program summed up: {len(body)} lines, {sum_}"


def check_order(letter: str, lines: Sequence[str]) -> Iterator[str]:
    """What is wrong with the lines of one stream if some may be missing: they are in order, and none is there twice."""
    numbers = [
        tuple(map(int, line.split()[1:])) for line in lines if line.startswith(f"{letter} ") and "from" not in line
    ]
    if any(after <= before for before, after in pairwise(numbers)):
        yield f"{letter} is not in order, or has lines twice"


def joined(lines: Sequence[str]) -> bytes:
    """As it was printed."""
    return "".join(f"{line}\n" for line in lines).encode()
