"""One object of every kind that an owner can have, made as they would, when somebody asks for it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
from hand import Hand

_HOLE = re.compile(r"\{(\w+)\}")
RUN = {"image": "busybox:local"}
MAIL = "mailto://127.0.0.1:9999?from=tailrace@example.com&to=ann@example.com"


class Belongings:
    """What an owner has, and everybody's pool and worker."""

    def __init__(self, owner: httpx.AsyncClient, admin: httpx.AsyncClient, hand: Hand) -> None:
        self._owner = owner
        self._admin = admin
        self._hand = hand
        self._made: dict[str, str] = {}

    @property
    def ids(self) -> list[str]:
        """Of all that was made."""
        return list(self._made.values())

    async def fill(self, written: Any) -> Any:
        """The same, with ids in place of nouns."""
        match written:
            case str():
                for noun in _HOLE.findall(written):
                    written = written.replace(f"{{{noun}}}", await self.get(noun))
                return written
            case dict():
                return {key: await self.fill(value) for key, value in written.items()}
            case list():
                return [await self.fill(value) for value in written]
            case _:
                return written

    async def get(self, noun: str) -> str:
        """The id of the one of this kind; or, as `new`, `owner` and `variable`, a name that nobody has."""
        if noun in {"new", "owner"}:
            return f"new-{uuid4().hex[:12]}"
        if noun == "variable":
            return f"V_{uuid4().hex[:12].upper()}"
        if noun not in self._made:
            make: Callable[[], Awaitable[str]] = getattr(self, f"make_{noun}")
            self._made[noun] = await make()
        return self._made[noun]

    async def _post(self, path: str, **request: Any) -> dict[str, Any]:
        answer = await self._owner.post(f"/v1/{path}", **request)
        assert answer.is_success, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def make_queued(self) -> str:
        return str((await self._post("executions", json=RUN))["id"])

    async def make_executions(self) -> str:
        execution = await self.make_queued()
        await self._hand.start(execution)
        await self._hand.keep_outputs(execution, {"a.txt": b"abc"})
        await self._hand.end(execution)
        return execution

    async def make_share(self) -> str:
        return str((await self.share("executions"))["id"])

    async def share(self, noun: str) -> dict[str, Any]:
        """A new share of this execution."""
        return await self._post(f"executions/{await self.get(noun)}/shares")

    async def make_secrets(self) -> str:
        name = await self.get("variable")
        answer = await self._owner.put(f"/v1/secrets/{name}", json={"value": "b7c1-not-a-real-one"})
        assert answer.is_success, answer.text
        return name

    async def make_tokens(self) -> str:
        return str((await self._post("tokens", json={"name": "wall", "role": "viewer"}))["id"])

    async def make_path(self) -> str:
        return "a.txt"

    async def make_batches(self) -> str:
        return str((await self._post("batches", json={"items": [RUN]}))["id"])

    async def make_files(self) -> str:
        return str((await self._post("files", content=b"a,b\n", params={"name": "rows.csv"}))["id"])

    async def make_methods(self) -> str:
        name = f"m-{uuid4().hex[:12]}"
        await self._post("methods", json={"name": name, "version": "1.0.0", **RUN})
        return name

    async def make_version(self) -> str:
        return "1.0.0"

    async def make_schedules(self) -> str:
        body = {"name": "s", "rule": {"cron": "@daily"}, "targets": [{"execution": RUN}]}
        return str((await self._post("schedules", json=body))["id"])

    async def make_triggers(self) -> str:
        return str((await self._post("triggers", json={"name": "t", "target": {"execution": RUN}}))["id"])

    async def make_webhooks(self) -> str:
        return str((await self._post("webhooks", json={"url": "http://127.0.0.1:9999/hook"}))["id"])

    async def make_delivery(self) -> str:
        return str((await self._post(f"webhooks/{await self.get('webhooks')}/ping"))["id"])

    async def make_notifications(self) -> str:
        return str((await self._post("notifications", json={"to": MAIL}))["id"])

    async def make_pools(self) -> str:
        name = f"p-{uuid4().hex[:12]}"
        assert (await self._admin.post("/v1/pools", json={"name": name})).status_code == 201
        return name

    async def make_workers(self) -> str:
        return str(self._hand.worker)
