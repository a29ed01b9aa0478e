"""What other systems call an execution, there and back for every word of theirs and every case of ours; and that the
page about it says the same.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import pytest

from app.compat.vocabularies import (
    ANALYTICS_AUTOMATED,
    CASES,
    CCP,
    CCP_LIFECYCLE,
    DATALOOP,
    OGC,
    PERCEVAL,
    TES,
    VOCABULARIES,
    WIZATA,
    Case,
    Vocabulary,
)
from app.executions.states import STATUS_OF, TERMINAL, Cause, Status, StopReason

PAGE = Path(__file__).parents[2] / "docs" / "vocabularies.md"

# As their own pages and sources have them.
WORDS = {
    OGC.name: "created accepted running successful failed dismissed",
    TES.name: "UNKNOWN QUEUED INITIALIZING RUNNING PAUSED COMPLETE EXECUTOR_ERROR SYSTEM_ERROR CANCELED PREEMPTED "
    "CANCELING",
    PERCEVAL.name: "WAITING RUNNING SUCCESS ERROR CANCELED SUSPENDED CANCEL_REQUESTED UNKNOWN",
    DATALOOP.name: "created in-progress success failed terminated aborted canceled system-failure",
    WIZATA.name: "received queued started completed failed aborted abortrequested",
    ANALYTICS_AUTOMATED.name: "SUBMITTED RUNNING COMPLETE ERROR CRASH",
    CCP.name: "Accepted Running Successful Failed",
    CCP_LIFECYCLE.name: "CREATED SCHEDULED STARTED EXECUTING COMPLETED FAILED",
}
# What nothing of ours is called: of a part of the standard that is a draft, of who could not be asked, and one that is
# told from the next only there.
NEVER_SAID = {(OGC.name, "created"), (TES.name, "UNKNOWN"), (PERCEVAL.name, "UNKNOWN"), (CCP_LIFECYCLE.name, "STARTED")}
SAYS_NOTHING = {(TES.name, "UNKNOWN"), (PERCEVAL.name, "UNKNOWN")}
# Theirs is a success although ours is none: what ends early on purpose.
WELL_THERE = {(ANALYTICS_AUTOMATED.name, Cause.SELF_CANCELED)}

of_each = pytest.mark.parametrize("vocabulary", VOCABULARIES, ids=lambda vocabulary: str(vocabulary.name))


def test_every_case_there_is_has_been_thought_of() -> None:
    assert len(set(CASES)) == len(CASES)
    assert {case.status for case in CASES} == set(Status)
    assert [case.cause for case in CASES if case.status in TERMINAL] == list(STATUS_OF)
    assert {case.stop for case in CASES if case.status is Status.STOPPING} == set(StopReason)


@pytest.mark.parametrize("status", Status)
def test_what_is_on_a_record_is_one_of_the_cases(status: Status) -> None:
    causes = [cause for cause, end in STATUS_OF.items() if end is status] or [None]
    for cause in causes:
        for stop in StopReason:
            for hold in (False, True):
                assert Case.of(status, cause=cause, stop=stop, hold=hold) in CASES


@of_each
def test_the_words_are_theirs(vocabulary: Vocabulary) -> None:
    assert list(vocabulary.reads) == WORDS[vocabulary.name].split()


@of_each
def test_whatever_an_execution_is_it_is_called_something(vocabulary: Vocabulary) -> None:
    assert set(vocabulary.says) == set(CASES)
    assert {vocabulary.say(case) for case in CASES} == {
        word for word in vocabulary.reads if (vocabulary.name, word) not in NEVER_SAID
    }


@of_each
def test_every_word_stands_for_something(vocabulary: Vocabulary) -> None:
    for word in vocabulary.reads:
        assert (vocabulary.read(word) in CASES) is ((vocabulary.name, word) not in SAYS_NOTHING)


@of_each
def test_a_word_comes_back_as_it_is(vocabulary: Vocabulary) -> None:
    for word in vocabulary.reads:
        case = vocabulary.read(word)
        if case is not None and (vocabulary.name, word) not in NEVER_SAID:
            assert vocabulary.say(case) == word


@of_each
def test_what_comes_back_as_something_else_is_never_on_the_other_side_of_the_end(vocabulary: Vocabulary) -> None:
    for case in CASES:
        back = vocabulary.read(vocabulary.say(case))
        assert back is not None
        assert (back.status in TERMINAL) is (case.status in TERMINAL)
        if case.cause is not None and (vocabulary.name, case.cause) not in WELL_THERE:
            assert (back.status is Status.SUCCEEDED) is (case.status is Status.SUCCEEDED)


@of_each
def test_a_filter_by_their_words_finds_everything_once(vocabulary: Vocabulary) -> None:
    found = [case for word in vocabulary.reads for case in vocabulary.cases(word)]
    assert sorted(map(repr, found)) == sorted(map(repr, CASES))


@of_each
def test_words_are_read_in_upper_and_lower_case_and_others_are_none(vocabulary: Vocabulary) -> None:
    for word in vocabulary.reads:
        assert vocabulary.read(word.upper()) == vocabulary.read(word.lower()) == vocabulary.read(word)
    for word in ("", "nonsense", f"{next(iter(vocabulary.reads))} "):
        assert vocabulary.read(word) is None


@pytest.mark.parametrize(
    ("vocabulary", "spelled", "word"),
    [
        (PERCEVAL, "completed", "SUCCESS"),
        (PERCEVAL, "cancelled", "CANCELED"),
        (PERCEVAL, "cancelling", "CANCEL_REQUESTED"),
        (DATALOOP, "inProgress", "in-progress"),
        (DATALOOP, "completed", "success"),
        (WIZATA, "ABORT_REQUESTED", "abortrequested"),
    ],
)
def test_other_spellings_are_the_same_word(vocabulary: Vocabulary, spelled: str, word: str) -> None:
    assert vocabulary.read(spelled) == vocabulary.read(word) is not None


# The page


def _called(case: Case) -> tuple[str, ...]:
    return tuple(vocabulary.say(case) for vocabulary in VOCABULARIES)


def _in_words(cases: Iterable[Case]) -> str:
    """Status by status, with details where it is not all of it."""
    parts = []
    for status, some in groupby(cases, key=lambda case: case.status):
        of_status = list(some)
        details = [f"`{detail}`" for case in of_status if (detail := "hold" if case.hold else case.cause or case.stop)]
        whole = len(of_status) == len([case for case in CASES if case.status is status])
        parts.append(f"`{status}`" + (f": {', '.join(details)}" if details and not whole else ""))
    return "; ".join(parts) or "–"


def _of_ours() -> Iterator[list[str]]:
    """A row per status, or several where it makes a difference."""
    in_order = sorted(CASES, key=lambda case: (list(Status).index(case.status), _called(case)))
    for called, same in groupby(in_order, key=_called):
        yield from ([_in_words(group), *(f"`{word}`" for word in called)] for group in _by_status(same))


def _by_status(cases: Iterable[Case]) -> list[list[Case]]:
    return [list(group) for _, group in groupby(cases, key=lambda case: case.status)]


def _of_theirs() -> Iterator[list[str]]:
    for vocabulary in VOCABULARIES:
        for word in vocabulary.reads:
            read = vocabulary.read(word)
            called = [case for case in CASES if case in vocabulary.cases(word)]
            also = "–" if called == [read] else _in_words(called) if called else "nothing"
            yield [vocabulary.name, f"`{word}`", _in_words([read]) if read else "–", also]


def lines(rows: Iterator[list[str]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in rows]


@pytest.mark.parametrize("expected", [lines(_of_ours()), lines(_of_theirs())], ids=["ours", "theirs"])
def test_the_page_has_both_tables(expected: list[str]) -> None:
    page = PAGE.read_text().splitlines()
    start = page.index(expected[0])
    assert page[start : start + len(expected)] == expected
    assert not page[start + len(expected)].startswith("|")
