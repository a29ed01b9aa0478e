"""The smaller resources: each a list, and verbs on its members. Bodies are the API's, field by field."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from tailrace._aio.api import Api
from tailrace._document import Document
from tailrace._nouns import (
    Delivery,
    Firing,
    Method,
    MethodVersion,
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

    path: ClassVar[str]
    kind: type[D]

    def __init__(self, api: Api) -> None:
        self._api = api

    def _of(self, id: str, *parts: str) -> str:  # noqa: A002  that is what it is
        return "/".join((self.path, *(segment(part) for part in (id, *parts))))

    async def get(self, id: str) -> D:  # noqa: A002  that is what it is
        """One of them. Raises `NotFound`."""
        return self.kind(await self._api.get(self._of(id)))

    async def create(self, /, **fields: Any) -> D:
        """Make one; fields as the API names them.

        Raises:
            Invalid: Fields are wrong; `errors` names all of them.
            Conflict: There is one of this name.
        """
        return self.kind(await self._api.ask("POST", self.path, json=as_json(fields)))

    async def update(self, id: str, /, **fields: Any) -> D:  # noqa: A002  that is what it is
        """Change some fields; None brings the default back."""
        return self.kind(await self._api.ask("PATCH", self._of(id), json=as_json(fields), repeatable=True))

    async def delete(self, id: str) -> None:  # noqa: A002  that is what it is
        """Delete it. Raises `NotFound`, `Conflict`."""
        await self._api.ask("DELETE", self._of(id))


class AsyncMethods(Resource[Method]):
    """Named and versioned templates of executions: docs/methods.md."""

    path = "/v1/methods"
    kind = Method

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
        return self._api.pages(self.path, Method, params)

    async def version(self, name: str, version: str = "latest") -> MethodVersion:
        """One version with its document."""
        return MethodVersion(await self._api.get(self._of(name, "versions", version)))

    async def load(self, source: str | os.PathLike[str], *, publish: bool = False) -> MethodVersion:
        """Take in a method as YAML or JSON: a `Path`, or the text itself. The same again changes nothing."""
        answer = await self._api.act(
            f"{self.path}:import",
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
        """A draft of another version, from one that there is and a JSON merge patch."""
        body = {"version": version, "from": base, "changes": as_json(changes or {})}
        return MethodVersion(await self._api.ask("POST", self._of(name, "versions"), json=body))

    async def change(self, name: str, version: str, changes: Mapping[str, Any]) -> MethodVersion:
        """Change a draft by a JSON merge patch."""
        path = self._of(name, "versions", version)
        return MethodVersion(await self._api.ask("PATCH", path, json=as_json(changes), repeatable=True))

    async def publish(self, name: str, version: str) -> MethodVersion:
        """Publish a draft. It never changes again."""
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
    """What is submitted again and again: docs/schedules.md."""

    path = "/v1/schedules"
    kind = Schedule

    def list(self, *, enabled: bool | None = None) -> AsyncPages[Schedule]:
        """Yours."""
        return self._api.pages(self.path, Schedule, {"enabled": enabled})

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
        """When a rule would fire."""
        answer = await self._api.act(f"{self.path}:preview", {"rule": as_json(rule), "count": count})
        items: Sequence[Mapping[str, Any]] = answer["items"]
        return items


class AsyncTriggers(Resource[Trigger]):
    """Addresses to which others post, and something runs: docs/triggers.md."""

    path = "/v1/triggers"
    kind = Trigger

    def list(self) -> AsyncPages[Trigger]:
        """Yours."""
        return self._api.pages(self.path, Trigger)

    async def rotate(self, id: str, /, **fields: Any) -> Trigger:  # noqa: A002  that is what it is
        """Change its token or secret; the answer has the new one."""
        return Trigger(await self._api.ask("POST", self._of(id, "rotate"), json=as_json(fields)))

    def deliveries(self, id: str) -> AsyncPages[Document]:  # noqa: A002  that is what it is
        """What was posted to it, and what came of that."""
        return self._api.pages(self._of(id, "deliveries"), Document)


class AsyncTokens(Resource[Token]):
    """Who may do what: docs/access.md."""

    path = "/v1/tokens"
    kind = Token

    def list(self, *, owner: str | None = None, all: bool | None = None) -> AsyncPages[Token]:  # noqa: A002  the API's
        """Yours; for an administrator those of an owner; with `all` also those that are not good any more."""
        return self._api.pages(self.path, Token, {"owner": owner, "all": all})


class AsyncWebhooks(Resource[Webhook]):
    """Servers that are told what happens: docs/webhooks.md."""

    path = "/v1/webhooks"
    kind = Webhook

    def list(self, *, execution: str | None = None, batch: str | None = None) -> AsyncPages[Webhook]:
        """Yours, or those of one execution or batch."""
        return self._api.pages(self.path, Webhook, {"execution": execution, "batch": batch})

    async def ping(self, id: str) -> Delivery:  # noqa: A002  that is what it is
        """Send it something to see whether it arrives."""
        return Delivery(await self._api.ask("POST", self._of(id, "ping")))

    async def rotate(self, id: str, *, overlap: int | None = None) -> Webhook:  # noqa: A002  that is what it is
        """Change the secret; for `overlap` seconds messages are signed by both."""
        body = {} if overlap is None else {"overlap": overlap}
        return Webhook(await self._api.ask("POST", self._of(id, "rotate"), json=body))

    def deliveries(self, id: str, *, state: str | None = None) -> AsyncPages[Delivery]:  # noqa: A002  as above
        """What was sent to it, and what became of it."""
        return self._api.pages(self._of(id, "deliveries"), Delivery, {"state": state})

    async def redeliver(self, id: str, delivery: str) -> Delivery:  # noqa: A002  that is what it is
        """Send a message again."""
        return Delivery(await self._api.ask("POST", self._of(id, "deliveries", delivery, "redeliver")))


class AsyncPools(Resource[Pool]):
    """Named groups of workers: docs/api.md. To change them takes the scope `admin`."""

    path = "/v1/pools"
    kind = Pool

    def list(self) -> AsyncPages[Pool]:
        """All of them."""
        return self._api.pages(self.path, Pool, {"limit": None})


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
    """Secrets under names of your own, for `named_secrets=` of submissions."""

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
