"""People are told by mail how executions ended, or that something fails again and again: once, and exactly counted."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import httpx
import pytest
from hand import Hand
from served import Submit, running
from sqlalchemy import update

from app.bootstrap import Process
from app.db.engine import transaction
from app.db.orm import clock
from app.executions.states import Cause
from app.notifications import repository
from app.notifications.tables import NotificationRow
from app.settings import Settings
from support.eventually import eventually
from support.mailbox import Mailbox, receiving_mail
from worker.metrics import WorkerMetrics
from worker.notifications import NotificationSender

T = TypeVar("T")


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with receiving_mail() as mailbox:
        yield mailbox


@pytest.fixture
async def sender(process: Process) -> AsyncIterator[NotificationSender]:
    sender = NotificationSender(process, WorkerMetrics())
    yield sender
    await sender.stop()


async def _until(sender: NotificationSender, check: Callable[[], Awaitable[T]]) -> T:
    async def look() -> T:
        await sender.act()
        return await check()

    return await eventually(look)


async def _idle(sender: NotificationSender) -> None:
    async def idle() -> bool:
        return not sender._sending

    await _until(sender, idle)


async def _add(client: httpx.AsyncClient, mailbox: Mailbox, **fields: Any) -> dict[str, Any]:
    response = await client.post("/v1/notifications", json={"to": mailbox.url, **fields})
    assert response.status_code == 201, response.text
    rule: dict[str, Any] = response.json()
    return rule


async def _log(client: httpx.AsyncClient, rule: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await client.get(f"/v1/notifications/{rule}/log")).json()["items"]
    return items


async def _ends(submit: Submit, hand: Hand, *causes: Cause, **fields: Any) -> list[str]:
    """Executions that end so, one after the other."""
    made = []
    for cause in causes:
        execution = await submit(**fields)
        await hand.start(execution)
        await hand.end(execution, cause, exit_code=3 if cause is Cause.EXIT_NONZERO else None)
        made.append(execution)
    return made


async def test_a_rule_is_made_shown_changed_and_deleted_and_never_says_where_to(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    secret = mailbox.url.replace("mailto://", "mailto://ann:confidential@")
    made = await client.post("/v1/notifications", json={"to": secret, "labels": {"a": "b"}})
    assert made.status_code == 201, made.text
    rule, path = made.json(), made.headers["Location"]
    assert (rule["channel"], rule["statuses"]) == ("mailto", ["crashed", "failed", "timed_out"])
    assert (await client.get(path)).json() == rule
    assert (await client.get("/v1/notifications")).json() == {"items": [rule], "next": None}
    changed = await client.patch(path, json={"alert_after": 2, "per": "label:team", "statuses": ["failed"]})
    assert changed.json() == {
        **rule,
        "alert_after": 2,
        "per": "label:team",
        "statuses": ["failed"],
        "updated_at": changed.json()["updated_at"],
    }
    for each in (made, changed):
        assert "confidential" not in each.text
        assert "127.0.0.1" not in each.text
    for method, where in (
        ("GET", path),
        ("PATCH", path),
        ("POST", f"{path}/test"),
        ("GET", f"{path}/log"),
        ("DELETE", path),
    ):
        response = await stranger.request(method, where, json={} if method == "PATCH" else None)
        assert response.status_code == 404, (method, where)
    assert (await client.delete(path)).status_code == 204
    assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("to", ""),
        ("to", "nonsense"),
        ("to", "json://127.0.0.1/"),
        ("to", "dbus://"),
        ("to", "https://discord.com/api/webhooks/1/a"),
        ("to", "mailto://ann:password@10.0.0.1?to=ann@example.com"),
        ("to", "mailto://ann:password@example.com?smtp=169.254.169.254&to=ann@example.com"),
        ("to", "mailto://127.0.0.1?from=a@example.com&to=ann@example.com,bob@example.com"),
        ("to", "mailto://127.0.0.1?from=a@example.com&to=ann@example.com&pgpprv=/etc/passwd"),
        ("to", "mailto://127.0.0.1?from=a@example.com&to=ann@example.com&retry=5"),
        ("to", "discord://1/a?template=/etc/passwd"),
        ("to", "ntfy://localhost.:1/topic"),
        # The host may be connected to, but not at these ports.
        ("to", "ntfy://127.0.0.1:22/topic"),
        ("to", "mailto://127.0.0.1:22?from=a@example.com&to=ann@example.com"),
        ("statuses", []),
        ("statuses", ["running"]),
        ("causes", ["bad luck"]),
        ("alert_after", 0),
        ("per", "label:"),
        ("per", "image"),
        ("methods", ["?"]),
        ("more", 1),
    ],
)
async def test_what_is_wrong_is_named(client: httpx.AsyncClient, mailbox: Mailbox, field: str, value: object) -> None:
    rule = (await _add(client, mailbox))["id"]
    made = await client.post("/v1/notifications", json={"to": mailbox.url, field: value})
    changed = await client.patch(f"/v1/notifications/{rule}", json={field: value})
    for response in (made, changed):
        assert response.status_code == 422, response.text
        assert response.json()["errors"][0]["field"].split(".")[0].split("[")[0] == field


async def test_without_a_key_nobody_is_told(settings: Settings, mailbox: Mailbox) -> None:
    async with running(settings.model_copy(update={"secret_key": None})) as api:
        refused = await (await api.client()).post("/v1/notifications", json={"to": mailbox.url})
    assert refused.status_code == 422


async def test_chosen_ends_are_told_once_each(
    client: httpx.AsyncClient,
    stranger: httpx.AsyncClient,
    mailbox: Mailbox,
    sender: NotificationSender,
    submit: Submit,
    hand: Hand,
) -> None:
    rule = (await _add(client, mailbox, statuses=["failed"], causes=["exit_nonzero"], labels={"team": "a"}))["id"]
    team = {"labels": {"team": "a"}}
    [told] = await _ends(submit, hand, Cause.EXIT_NONZERO, name="<b>nightly\r\nBcc: bob@example.com", **team)
    await _ends(submit, hand, Cause.OK, Cause.OOM_KILLED, Cause.HOST_LOST, Cause.CANCELED_BY_USER, **team)
    await _ends(submit, hand, Cause.EXIT_NONZERO)
    for _ in range(3):
        await _idle(sender)
    [said] = await _log(client, rule)
    assert (said["kind"], said["state"], said["execution"], said["tries"]) == ("ended", "sent", told, 1)
    assert mailbox.subjects == ["[Tailrace] <b>nightly Bcc: bob@example.com: failed (exit_nonzero)"]
    assert mailbox.recipients == [["ann@example.com"]]
    assert told in mailbox.text(0)
    assert "Exit code: 3" in mailbox.text(0).splitlines()
    assert mailbox.mails[0].get_content_type() == "text/plain"


async def test_what_fails_in_a_row_is_told_once_and_so_is_that_it_succeeds_again(
    client: httpx.AsyncClient, mailbox: Mailbox, sender: NotificationSender, submit: Submit, hand: Hand
) -> None:
    rule = (await _add(client, mailbox, alert_after=3))["id"]
    bad, good, canceled = Cause.EXIT_NONZERO, Cause.OK, Cause.CANCELED_BY_USER
    await _ends(submit, hand, bad, bad, good, bad, bad, name="a")
    await _ends(submit, hand, bad, name="b")
    await _idle(sender)
    assert await _log(client, rule) == []
    await _ends(submit, hand, canceled, Cause.RUN_TIMEOUT, bad, bad, name="a")
    await _ends(submit, hand, good, good, name="a")
    await _ends(submit, hand, good, name="b")
    await _idle(sender)
    log = await _log(client, rule)
    assert [each["kind"] for each in log] == ["recovered", "failing"]
    assert mailbox.subjects == ["[Tailrace] a: 3 in a row have failed", "[Tailrace] a: it succeeds again"]
    assert "After 5 failures in a row, of those with name `a`" in mailbox.text(1)
    await _ends(submit, hand, bad, bad, bad, name="a")
    await _idle(sender)
    assert len(mailbox.mails) == 3


async def test_a_test_is_sent_and_what_is_disabled_says_nothing(
    client: httpx.AsyncClient, mailbox: Mailbox, sender: NotificationSender, submit: Submit, hand: Hand
) -> None:
    rule = (await _add(client, mailbox))["id"]
    assert (await client.post(f"/v1/notifications/{rule}/test")).status_code == 202
    await _idle(sender)
    assert mailbox.subjects == ["[Tailrace] A test"]
    await client.patch(f"/v1/notifications/{rule}", json={"enabled": False})
    assert (await client.post(f"/v1/notifications/{rule}/test")).status_code == 409
    await _ends(submit, hand, Cause.EXIT_NONZERO)
    await _idle(sender)
    assert len(mailbox.mails) == 1


async def test_what_the_service_does_not_take_is_tried_again_and_then_given_up(
    client: httpx.AsyncClient, mailbox: Mailbox, sender: NotificationSender, process: Process
) -> None:
    rule = (await _add(client, mailbox))["id"]
    mailbox.says = "451 later"
    await client.post(f"/v1/notifications/{rule}/test")

    async def over() -> Any:
        async with transaction(process.database) as connection:
            row = NotificationRow.rule_id == UUID(rule), NotificationRow.state == "waiting"
            await connection.execute(update(NotificationRow).where(*row).values(next_at=clock()))
        [said] = await _log(client, rule)
        return said if said["state"] == "failed" else None

    said = await _until(sender, over)
    assert (said["tries"], said["error"]) == (4, "The service did not take it")
    assert len(mailbox.mails) == 4


async def test_of_what_somebody_died_over_it_is_told_and_nobody_sends_it_again(
    client: httpx.AsyncClient, mailbox: Mailbox, sender: NotificationSender, process: Process
) -> None:
    rule = (await _add(client, mailbox))["id"]
    await client.post(f"/v1/notifications/{rule}/test")
    async with transaction(process.database) as connection:
        claimed = await repository.claim(connection, UUID(rule))
    assert claimed is not None
    await sender.tidy()
    await _idle(sender)
    assert [each["state"] for each in await _log(client, rule)] == ["sending"]
    async with transaction(process.database) as connection:
        long_ago = clock() - timedelta(minutes=4)
        row = NotificationRow.id == claimed.id
        await connection.execute(update(NotificationRow).where(row).values(claimed_at=long_ago))
    await sender.tidy()
    await _idle(sender)
    [said] = await _log(client, rule)
    assert (said["state"], said["tries"]) == ("unsure", 1)
    assert "died" in said["error"]
    assert mailbox.mails == []


async def test_a_service_that_hangs_delays_nobody_elses(
    client: httpx.AsyncClient, mailbox: Mailbox, sender: NotificationSender
) -> None:
    async with receiving_mail() as other:
        slow, fast = (await _add(client, mailbox))["id"], (await _add(client, other))["id"]
        mailbox.go_on.clear()
        await client.post(f"/v1/notifications/{slow}/test")
        await client.post(f"/v1/notifications/{fast}/test")

        async def said() -> bool:
            return [each["state"] for each in await _log(client, fast)] == ["sent"]

        await _until(sender, said)
        assert [each["state"] for each in await _log(client, slow)] == ["sending"]
        mailbox.go_on.set()
        await _idle(sender)
        assert [each["state"] for each in await _log(client, slow)] == ["sent"]
