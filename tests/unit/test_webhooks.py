"""When a webhook is tried again, and when its receiver is left alone."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook as Verifier

from app.executions.model import Event, Stop
from app.executions.states import Status, StopReason
from app.webhooks.model import (
    BREAKS_AT,
    GIVE_UP_AFTER,
    LONGEST_PAUSE,
    LONGEST_WAIT,
    Chosen,
    EventType,
    pause_after,
    types_of,
    wait_after,
)
from app.webhooks.signing import headers_of, is_secret, new_secret
from support.values import NOON, a_record

DEFAULT = 5.0


def test_tries_are_spread_over_a_day() -> None:
    waits = [wait_after(tries, DEFAULT) for tries in range(1, 9)]
    assert waits[:3] == [5, 25, 125]
    assert sum(waits[:7]) < GIVE_UP_AFTER < sum(waits[:7]) + 2 * LONGEST_WAIT


@given(st.integers(1, 10**6), st.floats(0.001, 3600), st.floats(0, 1e12))
def test_no_wait_is_longer_than_it_may_be_or_shorter_than_the_one_before(
    tries: int, first: float, asked: float
) -> None:
    wait = wait_after(tries, first)
    assert first <= wait <= LONGEST_WAIT
    assert wait <= wait_after(tries + 1, first)
    assert wait <= wait_after(tries, first, asked=asked) <= max(wait, 3600)


@given(st.integers(0, 10**6), st.floats(0.001, 3600))
def test_a_receiver_is_left_alone_longer_and_longer_once_it_has_failed_often_enough(
    failures: int, first: float
) -> None:
    pause = pause_after(failures, first)
    assert (pause > 0) == (failures >= BREAKS_AT)
    assert pause <= pause_after(failures + 1, first) <= LONGEST_PAUSE


names = st.sampled_from(["a", "b", "c"])
labels = st.dictionaries(names, names, max_size=3)


@given(st.frozensets(names), st.frozensets(names), labels, names, st.none() | names, labels)
def test_what_is_left_out_does_not_restrict(
    pools: frozenset[str],
    methods: frozenset[str],
    wanted: dict[str, str],
    pool: str,
    method: str | None,
    theirs: dict[str, str],
) -> None:
    methods_of = {method} - {None}
    taken = Chosen(pools, methods, wanted).takes(pools={pool}, methods=methods_of, labels=theirs)
    by_one = [
        Chosen(pools=pools).takes(pools={pool}, methods=methods_of, labels=theirs),
        Chosen(methods=methods).takes(pools={pool}, methods=methods_of, labels=theirs),
        Chosen(labels=wanted).takes(pools={pool}, methods=methods_of, labels=theirs),
    ]
    assert taken == all(by_one)
    assert Chosen().takes(pools={pool}, methods=methods_of, labels=theirs)
    assert by_one[0] == (not pools or pool in pools)


@given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.lists(st.binary(min_size=24, max_size=64), min_size=1, max_size=3),
)
def test_whoever_has_one_of_the_secrets_can_verify_it(body: str, keys: list[bytes]) -> None:
    secrets = ["whsec_" + base64.b64encode(key).decode() for key in keys]
    assert all(map(is_secret, secrets))
    headers = headers_of("msg_1", datetime.now(UTC), body, secrets)
    for secret in secrets:
        Verifier(secret).verify(body, headers, json_parse=False)


def test_a_new_secret_is_one_and_no_other() -> None:
    assert is_secret(new_secret())
    assert new_secret() != new_secret()


@pytest.mark.parametrize(
    "text",
    ["", "whsec_", "whsec_AAAA", "whsec_" + "A" * 88, "A" * 44, "whsec_" + "*" * 44, "whsec_" + "A" * 43, "whsec_ä"],
)
def test_what_is_no_secret_is_refused(text: str) -> None:
    assert not is_secret(text)


def an_event(before: Status | None, after: Status) -> Event:
    return Event(1, before, after, cause=None, message=None, actor="a", attempt=0, at=NOON)


def test_of_a_stop_the_request_is_told_if_it_was_one_to_cancel() -> None:
    def asked(reason: StopReason) -> Stop:
        return Stop(reason=reason, by="ann", requested_at=NOON, deadline=NOON, force=False, final=False)

    stopping = an_event(Status.RUNNING, Status.STOPPING)
    canceled = a_record(status=Status.STOPPING, stop=asked(StopReason.CANCEL))
    late = a_record(status=Status.STOPPING, stop=asked(StopReason.TIMEOUT))
    assert types_of(stopping, canceled) == [EventType.CANCEL_REQUESTED, EventType.STOPPING]
    assert types_of(stopping, late) == [EventType.STOPPING]
    assert types_of(an_event(Status.RUNNING, Status.RUNNING), canceled) == [EventType.UPDATED]
    assert types_of(an_event(None, Status.QUEUED), canceled) == [EventType.QUEUED]
