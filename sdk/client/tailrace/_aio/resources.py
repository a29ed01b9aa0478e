"""The smaller resources: each a list, and verbs on its members. Bodies are the API's, field by field."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from typing_extensions import TypedDict, Unpack, override

from tailrace._aio.api import Api
from tailrace._aio.downloads import download
from tailrace._document import Document
from tailrace._nouns import (
    AuditEntry,
    Delivery,
    Firing,
    Message,
    Method,
    MethodVersion,
    Notification,
    OwnerQuota,
    Pool,
    Schedule,
    Secret,
    Token,
    Trigger,
    Webhook,
    Worker,
)
from tailrace._pages import AsyncPages
from tailrace._submission import as_json
from tailrace._transport import Request, segment

D = TypeVar("D", bound=Document)


class Resource(Generic[D]):
    """What has an address of its own for each member."""

    _path: ClassVar[str]
    _kind: type[D]

    def __init__(self, api: Api) -> None:
        self._api = api

    def _of(self, id: str, *parts: str) -> str:  # noqa: A002  that is what it is
        return "/".join((self._path, *(segment(part) for part in (id, *parts))))

    async def get(self, id: str) -> D:  # noqa: A002  that is what it is
        """One of them. Raises `NotFound`."""
        return self._kind(await self._api.get(self._of(id)))

    async def create(self, /, **fields: Any) -> D:
        """Make one; fields are those of the API.

        Raises:
            Invalid: Fields are wrong; `errors` names all of them.
            Conflict: There is one of this name.
        """
        return self._kind(await self._api.ask("POST", self._path, json=as_json(fields)))

    async def update(self, id: str, /, **fields: Any) -> D:  # noqa: A002  that is what it is
        """Change some fields; None brings the default back. Raises `NotFound`, `Invalid`, `Conflict`."""
        return self._kind(await self._api.ask("PATCH", self._of(id), json=as_json(fields), repeatable=True))

    async def delete(self, id: str) -> None:  # noqa: A002  that is what it is
        """Delete it. Raises `NotFound`, `Conflict`."""
        await self._api.ask("DELETE", self._of(id))


class AsyncMethods(Resource[Method]):
    """Named and versioned templates of executions (docs/methods.md): `methods.load(Path("a.yaml"), publish=True)`."""

    _path = "/v1/methods"
    _kind = Method

    def list(
        self,
        *,
        q: str | None = None,
        keyword: str | None = None,
        category: str | None = None,
        owner: str | None = None,
        retired: bool | None = None,
    ) -> AsyncPages[Method]:
        """Those that you may see, by name; `q` are words of name, title, description and keywords."""
        params = {"q": q, "keyword": keyword, "category": category, "owner": owner, "retired": retired}
        return self._api.pages(self._path, Method, params)

    async def version(self, name: str, version: str = "latest") -> MethodVersion:
        """One version with its document."""
        return MethodVersion(await self._api.get(self._of(name, "versions", version)))

    async def load(self, source: str | os.PathLike[str], *, publish: bool = False) -> MethodVersion:
        """Take in a method as YAML or JSON: a `Path`, or the text itself. The same again changes nothing.

        Raises:
            Invalid: Something is wrong with it; `errors` names all fields.
            Conflict: There is another of this name and version.
        """
        answer = await self._api.act(
            f"{self._path}:import",
            content=_content(source),
            headers={"Content-Type": "application/yaml"},
            params={"publish": publish},
        )
        return MethodVersion(answer)

    async def export(self, name: str, version: str = "latest", *, format: str = "yaml") -> str:  # noqa: A002  the API's
        """A version as a file: `yaml` or `json`."""
        request = Request("GET", self._of(name, "versions", version, "export"), params={"format": format})
        return (await self._api.transport.send(request)).text

    async def new_version(
        self, name: str, version: str, *, base: str = "latest", changes: Mapping[str, Any] | None = None
    ) -> MethodVersion:
        """A draft of another version, from one that there is and a JSON merge patch.

        `new_version("train", "1.3.0", changes={"limits": {"memory": "2GiB"}})`
        """
        body = {"version": version, "from": base, "changes": as_json(changes or {})}
        return MethodVersion(await self._api.ask("POST", self._of(name, "versions"), json=body))

    async def change(self, name: str, version: str, changes: Mapping[str, Any]) -> MethodVersion:
        """Change a draft by a JSON merge patch."""
        path = self._of(name, "versions", version)
        return MethodVersion(await self._api.ask("PATCH", path, json=as_json(changes), repeatable=True))

    async def publish(self, name: str, version: str) -> MethodVersion:
        """Publish a draft. It never changes again. Raises `Invalid` if it is not fit for it."""
        return await self._say(name, version, "publish")

    async def retire(self, name: str, version: str) -> MethodVersion:
        """Put a version aside; what runs goes on."""
        return await self._say(name, version, "retire")

    async def restore(self, name: str, version: str) -> MethodVersion:
        """Take it back."""
        return await self._say(name, version, "restore")

    async def clone(
        self, name: str, new: str, *, version: str | None = None, changes: Mapping[str, Any] | None = None
    ) -> MethodVersion:
        """A method of your own from another, as a draft."""
        body = {"name": new, "version": version, "changes": as_json(changes or {})}
        return MethodVersion(await self._api.ask("POST", self._of(name, "clone"), json=body))

    async def diff(self, name: str, before: str, after: str) -> Sequence[Mapping[str, Any]]:
        """What differs between two versions."""
        answer = await self._api.get(self._of(name, "diff"), **{"from": before, "to": after})
        changes: Sequence[Mapping[str, Any]] = answer["changes"]
        return changes

    async def disable(self, name: str, reason: str) -> Method:
        """Let nothing of it be accepted, nor started."""
        return Method(await self._api.act(self._of(name, "disable"), {"reason": reason}))

    async def enable(self, name: str) -> Method:
        """Switch it on again."""
        return Method(await self._api.act(self._of(name, "enable")))

    async def delete_version(self, name: str, version: str) -> None:
        """Delete a draft."""
        await self._api.ask("DELETE", self._of(name, "versions", version))

    async def _say(self, name: str, version: str, verb: str) -> MethodVersion:
        return MethodVersion(await self._api.act(self._of(name, "versions", version, verb)))


def _content(source: str | os.PathLike[str]) -> bytes:
    return Path(source).read_bytes() if isinstance(source, os.PathLike) else source.encode()


class AsyncSchedules(Resource[Schedule]):
    """What is submitted again and again: docs/schedules.md.

    `schedules.create(name="nightly", rule={"cron": "30 2 * * *"}, targets=[{"execution": {"image": "busybox"}}])`
    """

    _path = "/v1/schedules"
    _kind = Schedule

    def list(self, *, enabled: bool | None = None) -> AsyncPages[Schedule]:
        """Yours."""
        return self._api.pages(self._path, Schedule, {"enabled": enabled})

    async def pause(self, id: str) -> Schedule:  # noqa: A002  that is what it is
        """Let it not fire."""
        return await self.update(id, enabled=False)

    async def resume(self, id: str) -> Schedule:  # noqa: A002  that is what it is
        """Let it fire again."""
        return await self.update(id, enabled=True)

    async def fire(self, id: str) -> Firing:  # noqa: A002  that is what it is
        """Let it fire now, beside its rule."""
        return Firing(await self._api.ask("POST", self._of(id, "fire")))

    def firings(self, id: str, *, status: str | None = None) -> AsyncPages[Firing]:  # noqa: A002  that is what it is
        """What came of its firings, the newest first."""
        return self._api.pages(self._of(id, "runs"), Firing, {"status": status})

    async def preview(self, rule: Mapping[str, Any], *, count: int = 5) -> Sequence[Mapping[str, Any]]:
        """When a rule would fire: `preview({"every": 3600})`."""
        answer = await self._api.act(f"{self._path}:preview", {"rule": as_json(rule), "count": count})
        items: Sequence[Mapping[str, Any]] = answer["items"]
        return items

    async def upcoming(self, id: str, *, count: int = 5) -> Sequence[Mapping[str, Any]]:  # noqa: A002  that is what it is
        """When one fires next."""
        items: Sequence[Mapping[str, Any]] = (await self._api.get(self._of(id, "preview"), count=count))["items"]
        return items


class AsyncTriggers(Resource[Trigger]):
    """Addresses to which others post, and something runs: docs/triggers.md.

    `triggers.create(name="on push", target={"execution": {"image": "busybox"}})`
    """

    _path = "/v1/triggers"
    _kind = Trigger

    def list(self) -> AsyncPages[Trigger]:
        """Yours."""
        return self._api.pages(self._path, Trigger)

    async def rotate(self, id: str, /, **fields: Any) -> Trigger:  # noqa: A002  that is what it is
        """Change its token or secret; the answer has the new one."""
        return Trigger(await self._api.ask("POST", self._of(id, "rotate"), json=as_json(fields)))

    def deliveries(self, id: str) -> AsyncPages[Document]:  # noqa: A002  that is what it is
        """What was posted to it, and what came of that."""
        return self._api.pages(self._of(id, "deliveries"), Document)


class AsyncTokens(Resource[Token]):
    """Who may do what (docs/access.md): `tokens.create(name="nightly", scopes=["read", "submit"])`."""

    _path = "/v1/tokens"
    _kind = Token

    def list(
        self,
        *,
        owner: str | None = None,
        kind: str | None = None,
        all: bool | None = None,  # noqa: A002  the API's
    ) -> AsyncPages[Token]:
        """Yours; for an administrator those of an owner; with `all` also those that are not good any more.

        By `kind` only the `session`s, who is logged in where, or what is a `token`, or of the issuer: `oidc`.
        """
        return self._api.pages(self._path, Token, {"owner": owner, "kind": kind, "all": all})

    @override
    async def delete(self, id: str, *, descendants: bool = False) -> None:
        """Revoke it; with `descendants` also all that was made with it, and with that: for after a theft."""
        await self._api.ask("DELETE", self._of(id), params={"descendants": descendants or None})


class AsyncWebhooks(Resource[Webhook]):
    """Servers that are told what happens (docs/webhooks.md): `webhooks.create(url="https://example.com/done")`."""

    _path = "/v1/webhooks"
    _kind = Webhook

    def list(self, *, execution: str | None = None, batch: str | None = None) -> AsyncPages[Webhook]:
        """Yours, or those of one execution or batch."""
        return self._api.pages(self._path, Webhook, {"execution": execution, "batch": batch})

    async def ping(self, id: str) -> Delivery:  # noqa: A002  that is what it is
        """Send it something to see whether it arrives."""
        return Delivery(await self._api.ask("POST", self._of(id, "ping")))

    async def rotate(self, id: str, *, overlap: int | None = None) -> Webhook:  # noqa: A002  that is what it is
        """Change the secret; for `overlap` seconds messages are signed by both."""
        body = {} if overlap is None else {"overlap": overlap}
        return Webhook(await self._api.ask("POST", self._of(id, "rotate"), json=body))

    def deliveries(
        self,
        id: str,  # noqa: A002  that is what it is
        *,
        state: str | None = None,
        execution: str | None = None,
    ) -> AsyncPages[Delivery]:
        """What was sent to it, of one execution if you like, and what became of it."""
        return self._api.pages(self._of(id, "deliveries"), Delivery, {"state": state, "execution": execution})

    async def redeliver(self, id: str, delivery: str) -> Delivery:  # noqa: A002  that is what it is
        """Send a message again."""
        return Delivery(await self._api.ask("POST", self._of(id, "deliveries", delivery, "redeliver")))

    async def message(self, id: str, delivery: str) -> Mapping[str, Any]:  # noqa: A002  that is what it is
        """The message itself, as it was or will be sent."""
        message: Mapping[str, Any] = await self._api.get(self._of(id, "deliveries", delivery, "body"))
        return message


class AsyncNotifications(Resource[Notification]):
    """Rules that say to whom it is told how executions end: docs/webhooks.md."""

    _path = "/v1/notifications"
    _kind = Notification

    def list(self) -> AsyncPages[Notification]:
        """Yours, the newest first."""
        return self._api.pages(self._path, Notification)

    async def test(self, id: str) -> Message:  # noqa: A002  that is what it is
        """Send something to see whether it arrives."""
        return Message(await self._api.ask("POST", self._of(id, "test")))

    def log(self, id: str) -> AsyncPages[Message]:  # noqa: A002  that is what it is
        """What was said, and what became of it."""
        return self._api.pages(self._of(id, "log"), Message)


class AsyncOwnerQuotas:
    """What owners may have. To see or set those of others takes the scope `admin`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def list(self) -> AsyncPages[OwnerQuota]:
        """Those who have limits of their own."""
        return self._api.pages("/v1/quotas", OwnerQuota, {"limit": None})

    async def get(self, owner: str) -> OwnerQuota:
        """The limits of an owner, and how they stand."""
        return OwnerQuota(await self._api.get(f"/v1/quotas/{segment(owner)}"))

    async def set(self, owner: str, /, **limits: Any) -> OwnerQuota:
        """Set all limits of an owner: `set("ann", max_running=4)`. What is not named has none."""
        return OwnerQuota(await self._api.ask("PUT", f"/v1/quotas/{segment(owner)}", json=as_json(limits)))

    async def delete(self, owner: str) -> None:
        """Back to the defaults."""
        await self._api.ask("DELETE", f"/v1/quotas/{segment(owner)}")


class AuditFilters(TypedDict, total=False):
    """Which entries: all filters must hold."""

    actor: str
    """Who asked."""
    owner: str
    """Whose it is; for administrators."""
    token: str
    """The id of the token that it was asked with."""
    action: str
    """The operation, such as `cancel_execution`."""
    object: str
    """Its path, such as `executions/<id>`, and all below it."""
    refused: bool
    """Only what was refused, or only what was not."""
    since: datetime | str
    """Then or later. A `datetime` needs its zone."""
    until: datetime | str
    """Earlier."""


class AsyncAudit:
    """Who did what (docs/audit.md): `audit.list(action="cancel_execution")`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def list(self, **filters: Unpack[AuditFilters]) -> AsyncPages[AuditEntry]:
        """Those that concern you, or all for an administrator, the newest first."""
        return self._api.pages("/v1/audit", AuditEntry, filters)

    async def export(
        self,
        path: str | os.PathLike[str],
        *,
        format: str = "ndjson",  # noqa: A002  the API's
        **filters: Unpack[AuditFilters],
    ) -> Path:
        """Write all of them to a file: `ndjson` or `csv`."""
        params = {"format": format, **filters}
        return await download(self._api.transport, "/v1/audit/export", Path(path), params=params)


class AsyncPools(Resource[Pool]):
    """Named groups of workers: `pools.create(name="gpu", max_running=2)`. To change them takes the scope `admin`."""

    _path = "/v1/pools"
    _kind = Pool

    def list(self) -> AsyncPages[Pool]:
        """All of them."""
        return self._api.pages(self._path, Pool, {"limit": None})


class AsyncWorkers:
    """The processes that run containers: docs/worker.md."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def list(self, *, all: bool | None = None) -> AsyncPages[Worker]:  # noqa: A002  the API's
        """Who is there; with `all` also who went in the last 24 hours."""
        return self._api.pages("/v1/workers", Worker, {"limit": None, "all": all})

    async def pause(self, id: str) -> Worker:  # noqa: A002  that is what it is
        """Let it take nothing new."""
        return await self._say(id, "pause")

    async def drain(self, id: str) -> Worker:  # noqa: A002  that is what it is
        """The same, and let it end when nothing of it runs any more."""
        return await self._say(id, "drain")

    async def resume(self, id: str) -> Worker:  # noqa: A002  that is what it is
        """Let it take work again."""
        return await self._say(id, "resume")

    async def _say(self, id: str, verb: str) -> Worker:  # noqa: A002  that is what it is
        return Worker(await self._api.act(f"/v1/workers/{segment(id)}/{verb}"))


class AsyncSecrets:
    """Secrets under names of your own, for `named_secrets=` of submissions: `secrets.put("hub-token", "…")`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def list(self) -> AsyncPages[Secret]:
        """Yours, without their values."""
        return self._api.pages("/v1/secrets", Secret, {"limit": None})

    async def put(self, name: str, value: str) -> Secret:
        """Keep a value under a name; what has been accepted before has the one before."""
        return Secret(await self._api.ask("PUT", f"/v1/secrets/{segment(name)}", json={"value": value}))

    async def delete(self, name: str) -> None:
        """Delete it. What has been accepted keeps its copy until it ends."""
        await self._api.ask("DELETE", f"/v1/secrets/{segment(name)}")
