"""The tables of the documentation say what the code does."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest

from app.errors import ServiceError
from app.executions.causes import EXPLANATIONS
from app.executions.model import ExitMeaning, Limits, Outcome, Retries, Stop
from app.executions.operations import ANSWERS, Answer, Operation, Standing
from app.executions.requests import Submission
from app.executions.states import ACTIVE, NEXT, STATUS_OF, TERMINAL, Cause, Status, StopClock, StopReason
from app.logs.protocol import FRAMES, CloseCode, GapReason
from app.problems import MethodNotAllowed
from worker.outcome import Exit, read_exit
from worker.retry import Tries, may_try_again

ROOT = Path(__file__).parents[2]
STATES = ROOT / "docs" / "states.md"
API = ROOT / "docs" / "api.md"
LOGS = ROOT / "docs" / "logs.md"
CODE = re.compile(r"`([a-z_]+)`")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
WHO = {
    "nobody": None,
    "a cancellation": (StopReason.CANCEL, None),
    "a timeout": (StopReason.TIMEOUT, StopClock.TIMEOUT),
    "silence": (StopReason.TIMEOUT, StopClock.IDLE_TIMEOUT),
}
ALSO = {
    "": {},
    "it announced itself": {"announced": True},
    "the container's init complained": {"init_complaint": "exec failed"},
    "it had more on disk than `limits.disk`": {"over_disk": True},
    "the engine saw it run out of memory": {"oom_killed": True},
}
CODES = (0, 1, 2, 85, 86, 125, 126, 127, 128, 129, 134, 137, 139, 143, 192, 193, 255)
FACTS = (
    {"announced": False, "oom_killed": False, "init_complaint": None},
    {"announced": True, "oom_killed": False, "init_complaint": None},
    {"announced": False, "oom_killed": True, "init_complaint": None},
    {"announced": False, "oom_killed": False, "init_complaint": "exec failed"},
    {"announced": False, "oom_killed": False, "init_complaint": None, "over_disk": True},
)


def table(page: Path, *header: str) -> list[list[str]]:
    """The rows of the table of a page that begins with this header."""
    lines = iter(page.read_text().splitlines())
    wanted = "| " + " | ".join(header) + " |"
    assert wanted in lines, f"{page.name} has no table {wanted}"
    next(lines)
    return list(_rows(lines))


def _rows(lines: Iterator[str]) -> Iterator[list[str]]:
    for line in lines:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))]


def test_every_status_is_described_and_whether_it_ends() -> None:
    rows = table(STATES, "status", "ends", "meaning")
    assert {status.strip("`"): ends == "yes" for status, ends, _ in rows} == {
        **dict.fromkeys(ACTIVE, False),
        **dict.fromkeys(TERMINAL, True),
    }


def test_the_table_of_moves_is_the_status_machine() -> None:
    moves = {Status(start.strip("`")): set(CODE.findall(ends)) for start, ends in table(STATES, "from", "to")}
    assert moves == {status: set(following) for status, following in NEXT.items() if following}


def test_the_table_of_causes_gives_every_cause_its_status() -> None:
    rows = table(STATES, "status", "causes")
    assert {cause: status.strip("`") for status, causes in rows for cause in CODE.findall(causes)} == dict(STATUS_OF)


def test_every_cause_is_given_somewhere() -> None:
    paths = [path for part in ("app", "worker") for path in (ROOT / part).rglob("*.py")]
    code = "\n".join(path.read_text() for path in paths if path.name not in {"states.py", "causes.py", "model.py"})
    given = {cause for cause in Cause if re.search(rf"\bCause\.{cause.name}\b", code)}
    assert given == set(Cause)


@pytest.mark.parametrize("who", WHO)
def test_every_exit_is_read_as_the_table_says(who: str) -> None:
    rows = table(STATES, "asked to stop by", "signal", "exit code", "also", "cause")
    for code, signaled, facts in product(CODES, (False, True), FACTS):
        ended = Exit(code=code, signaled=signaled, **facts)
        outcome = read_exit(ended, stop(WHO[who]), Limits(timeout=60, idle_timeout=30))
        expected = next(row[4].strip("`") for row in rows if row[0] == who and fits(row, ended))
        assert outcome.cause == expected, (who, ended)


def test_every_meaning_of_an_exit_code_is_read_as_the_table_says() -> None:
    _, *asked, again = header = (
        "meaning",
        "nobody",
        "a pause",
        "a cancellation, no signal yet",
        "a cancellation, and a signal",
        "another attempt follows",
    )
    rows = table(STATES, *header)
    assert [row[0].strip("`") for row in rows] == list(ExitMeaning)
    for row in rows:
        cells, outcome = dict(zip(header, row, strict=True)), Outcome(Cause.OK, "")
        for who in reversed(asked):
            reason = StopReason.PAUSE if "pause" in who else StopReason.CANCEL if "cancel" in who else None
            outcome = read_exit(
                Exit(
                    code=3,
                    oom_killed=False,
                    signaled="and a signal" in who,
                    announced=False,
                    asked_to_save=reason is StopReason.PAUSE,
                    meaning=ExitMeaning(row[0].strip("`")),
                ),
                stop((reason, None) if reason else None),
                Limits(),
            )
            assert cells[who].strip("`") == ("it is paused" if outcome.saved else outcome.cause), who
        by_cause, by_nothing = (
            may_try_again(outcome, Retries(max_attempts=2, retry_on=reasons), Tries(1, 0), ran=True, final=False)
            for reasons in ((Cause.EXIT_NONZERO,), ())
        )
        words = {
            (False, False): "never",
            (True, True): "up to `max_attempts`",
            (True, False): "as `retry_on` says",
        }
        assert cells[again].startswith(words[by_cause, by_nothing]), row


def fits(row: list[str], ended: Exit) -> bool:
    _, signal, codes, also, _ = row
    holds = all(getattr(ended, name) == value for name, value in ALSO[also].items())
    return holds and not (signal == "none" and ended.signaled) and ended.code in codes_of(codes)


def codes_of(cell: str) -> range:
    if cell.startswith("any"):
        return range(256)
    first, _, last = cell.partition("–")
    return range(int(first), int(last or first) + 1)


def test_what_can_be_asked_in_which_status_is_in_the_table() -> None:
    words = {Answer.DONE: "done", Answer.SAME: "same", Answer.REFUSED: "409"}
    rows = table(STATES, "operation", *(f"`{standing}`" for standing in Standing))
    assert rows == [
        [operation, *(words[ANSWERS[operation][standing]] for standing in Standing)] for operation in Operation
    ]


def stop(who: tuple[StopReason, StopClock | None] | None) -> Stop | None:
    if who is None:
        return None
    reason, clock = who
    by = "ada" if reason is StopReason.CANCEL else "system"
    return Stop(reason=reason, by=by, requested_at=NOW, deadline=NOW, force=False, final=False, clock=clock)


def test_the_api_page_explains_every_cause_in_the_words_of_the_record() -> None:
    rows = table(API, "cause", "status", "what happened", "what to try")
    assert [tuple(row) for row in rows] == [
        (f"`{cause}`", f"`{STATUS_OF[cause]}`", said.sentence, said.hint or "–") for cause, said in EXPLANATIONS.items()
    ]


def test_every_problem_is_described_with_its_status_and_code() -> None:
    described = {(int(status), code.strip("`")) for status, code, _ in table(API, "status", "code", "when")}
    kinds = {ServiceError, MethodNotAllowed, *ServiceError.__subclasses__()}
    assert described == {(kind.status, kind.code) for kind in kinds}


def test_every_field_of_a_submission_and_every_limit_is_described() -> None:
    for name, model in (("field", Submission), ("limit", Limits)):
        rows = table(API, name, "default", "meaning")
        assert {field for names, *_ in rows for field in CODE.findall(names)} == set(model.model_fields)


def test_every_frame_is_described_with_its_fields() -> None:
    described = {
        kind.strip("`"): set(CODE.findall(fields)) for kind, fields, _ in table(LOGS, "type", "fields", "when")
    }
    assert described == {kind: set(frame.__annotations__) - {"type"} for kind, frame in FRAMES.items()}


def test_every_close_code_and_every_reason_of_a_gap_is_described() -> None:
    assert {int(code) for code, _, _ in table(LOGS, "code", "meaning", "what to do")} == set(CloseCode)
    assert {reason.strip("`") for reason, _ in table(LOGS, "reason", "meaning")} == set(GapReason)
