"""The part of the HTTP API that the demonstration uses, as any client would use it."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from stack.errors import StackError
from stack.local import Stack

JSON = dict[str, Any]
LONG_POLL = 30
ATTEMPTS = 5
PAUSE_SECONDS = 0.2


class DemoClient:
    """Submits, follows, cancels and fetches. What the API refuses becomes a `StackError` with its reason."""

    def __init__(self, stack: Stack) -> None:
        self._headers = {"Authorization": f"Bearer {stack.token}"}
        self._http = httpx.AsyncClient(base_url=stack.url, headers=self._headers, timeout=LONG_POLL + 10)
        self._socket_url = stack.url.replace("http", "ws", 1)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def submit(self, submission: Mapping[str, Any]) -> str:
        """Submit an execution; its id."""
        answer = await self._call("POST", "/v1/executions", json=submission)
        return str(answer.json()["id"])

    async def cancel(self, execution: str, *, force: bool = False) -> None:
        """Ask it to stop; one that has ended is left as it is."""
        await self._call("POST", f"/v1/executions/{execution}/cancel", json={"force": force}, also={409})

    async def ended(self, execution: str) -> JSON:
        """The record, once the execution has ended."""
        while True:
            answer = await self._call("GET", f"/v1/executions/{execution}", params={"wait": LONG_POLL})
            record: JSON = answer.json()
            if record["finished_at"]:
                return record

    async def download_outputs(self, execution: str, directory: Path) -> list[str]:
        """Put the output files into a directory; their names."""
        answer = await self._call("GET", f"/v1/executions/{execution}/outputs.zip")
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            archive.extractall(directory)
            return archive.namelist()

    async def tail(self, execution: str) -> AsyncIterator[JSON]:
        """The frames of its log, to the end: a connection that breaks is taken up at the next line."""
        after = 0
        reason = "it was closed before its end"
        for attempt in range(ATTEMPTS):
            await asyncio.sleep(attempt * PAUSE_SECONDS)
            try:
                async with connect(
                    f"{self._tail_url(execution)}?after={after}", additional_headers=self._headers
                ) as ws:
                    async for message in ws:
                        frame: JSON = json.loads(message)
                        after = _seen(frame, after)
                        yield frame
                        if frame["type"] == "end":
                            return
            except (WebSocketException, OSError) as error:
                reason = str(error)
        raise StackError(f"The log of {execution} broke off {ATTEMPTS} times; the last time: {reason}")

    def _tail_url(self, execution: str) -> str:
        return f"{self._socket_url}/v1/executions/{execution}/tail"

    async def _call(self, method: str, path: str, *, also: frozenset[int] | set[int] = frozenset(), **rest: Any) -> Any:
        try:
            answer = await self._http.request(method, path, **rest)
        except httpx.TransportError as error:
            raise StackError(f"{method} {path} got no answer: {error!r}") from error
        if not answer.is_success and answer.status_code not in also:
            raise StackError(f"{method} {path} was answered with {answer.status_code}: {answer.text}")
        return answer


def _seen(frame: JSON, after: int) -> int:
    """The `seq` up to which the log is known after this frame."""
    if frame["type"] == "lines":
        return int(frame["first"]) + len(frame["lines"]) - 1
    return int(frame["to"]) if frame["type"] == "gap" else after
