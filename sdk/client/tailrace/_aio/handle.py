"""One execution, and everything that can be done with it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from typing_extensions import Unpack, override

from tailrace._aio.api import Api
from tailrace._aio.downloads import download
from tailrace._aio.files import AsyncFiles
from tailrace._aio.logs import LogReader
from tailrace._aio.outputs import AsyncOutputs, path_of
from tailrace._aio.watched import Watched
from tailrace._errors import TailraceError
from tailrace._lines import Line
from tailrace._nouns import Share
from tailrace._pages import AsyncPages
from tailrace._plots import Plot
from tailrace._records import Attempt, Event, Record
from tailrace._status import Status
from tailrace._submission import Options, as_json, submission
from tailrace._transport import Request, new_key, segment


class AsyncHandle(Watched[Record]):
    """One execution. `record` is what was seen of it last."""

    def __init__(self, api: Api, record: Record) -> None:
        super().__init__(api, f"/v1/executions/{segment(record.id)}", record)

    @property
    def status(self) -> Status:
        """How it stood when it was last looked at: a string such as `"running"`, with more to ask."""
        return Status(self.record)

    @property
    def outputs(self) -> AsyncOutputs:
        """What it left."""
        return AsyncOutputs(self._api, self.id)

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r}, status={self.record.status!r})"

    def logs(
        self,
        follow: bool = False,  # noqa: FBT001, FBT002  `logs(True)` is what one expects
        *,
        since: datetime | str | float | None = None,
        until: datetime | str | float | None = None,
        tail: int | None = None,
        after: int | None = None,
        before: int | None = None,
        limit: int | None = None,
        stream: str | Sequence[str] | None = None,
        grep: str | None = None,
        ignore_case: bool | None = None,
        invert: bool | None = None,
        level: str | None = None,
        ansi: str | None = None,
    ) -> AsyncPages[Line]:
        """Its lines so far; with `follow` until it ends, as they are written.

        Whatever breaks meanwhile, the reader goes on behind the last line: none comes twice, and none is left out.
        Where lines are not kept there is a `Gap`, which is a `Line` too. More about all of it in docs/logs.md.

        Args:
            follow: Go on until it ends. `until`, `before` and `limit` are for a log that is not followed.
            since: Not older: a time, unix seconds, or a duration back from now, such as `"10m"`.
            until: Older, said in the same way.
            tail: The last so many of what all else here chooses.
            after: Behind the line of this `seq`.
            before: Before the line of this `seq`.
            limit: At most so many.
            stream: Of `stdout`, `stderr` and `system` (what Tailrace tells); by default the first two.
            grep: Only lines that match this regular expression.
            ignore_case: Match it in any case.
            invert: Only lines that do not match it.
            level: Of this level or above: `trace`, `debug`, `info`, `warn`, `error`, `fatal`.
            ansi: `strip` takes out colours and other escape sequences.

        Raises:
            ValueError: That cannot be followed.
        """
        if follow and (until, before, limit) != (None, None, None):
            raise ValueError("`until`, `before` and `limit` are for a log that is not followed")
        query = {
            "since": since,
            "until": until,
            "tail": tail,
            "after": after,
            "before": before,
            "limit": limit,
            "streams": _streams(stream),
            "grep": grep,
            "ignore_case": ignore_case,
            "invert": invert,
            "level": level,
            "ansi": ansi,
        }
        reader = partial(LogReader, self._api.transport, self.id, query)
        return AsyncPages(lambda: reader().follow() if follow else reader().read())

    async def cancel(self, *, force: bool = False) -> Record:
        """Ask it to stop: it is told, has `grace` to save its work, and is killed then. With `force` killed at once.

        Raises:
            Conflict: It has ended already, and otherwise.
        """
        return self._seen(await self._api.act(f"{self._path}/cancel", {"force": force}))

    async def kill(self) -> Record:
        """Stop it at once: `cancel(force=True)`."""
        return await self.cancel(force=True)

    async def pause(self, mode: str | None = None) -> Record:
        """Let it stand still: `freeze` its processes, or let it save a `checkpoint` and free its slot.

        Without a `mode` by its checkpoint, if it saves some.

        Raises:
            Conflict: Its status does not allow it, or its program saves no checkpoints.
        """
        return self._seen(await self._api.act(f"{self._path}/pause", {"mode": mode} if mode else None))

    async def resume(self) -> Record:
        """Let it go on where it was paused. Raises `Conflict` if it is not."""
        return self._seen(await self._api.act(f"{self._path}/resume"))

    async def hold(self) -> Record:
        """Keep it in the queue until it is released. Raises `Conflict` if it is not queued any more."""
        return self._seen(await self._api.act(f"{self._path}/hold"))

    async def release(self) -> Record:
        """Let it be started."""
        return self._seen(await self._api.act(f"{self._path}/release"))

    async def change(self, /, **fields: Any) -> Record:
        """Change its `name`, `note`, `labels`, `priority` or `limits`; what is None goes back to its default.

        Raises:
            Conflict: It is too late for some of them; `errors` names all.
        """
        return self._seen(await self._api.ask("PATCH", self._path, json=as_json(fields), repeatable=True))

    async def rerun(
        self,
        *,
        image: str | None = None,
        command: Sequence[str] = (),
        from_checkpoint: bool = False,
        idempotency_key: str | None = None,
        **changes: Unpack[Options],
    ) -> AsyncHandle:
        """Run it again, as it was or with changes: `rerun(limits={"memory": "2GiB"}, env={"DEBUG": None})`.

        Mappings are merged, and None takes away. With `from_checkpoint` it goes on from its own last checkpoint.

        Raises:
            Conflict: It has not ended.
            Invalid: Changes are wrong, or something that it needs is gone; `errors` names all fields.
        """
        body = submission(image, command, changes)
        if from_checkpoint:
            body["from_checkpoint"] = True
        document = as_json(await AsyncFiles(self._api).sent_along(body))
        answer = await self._api.ask("POST", f"{self._path}/rerun", json=document, key=idempotency_key or new_key())
        return AsyncHandle(self._api, Record(answer))

    async def archive(self, keep: str | None = None) -> Record:
        """Put it aside: it is not listed, and does not expire.

        `keep` is `all` of it, its record and its `outputs`, or the `record` alone; by default what its submission says.

        Raises:
            Conflict: It has not ended, or something that has not ended needs what is to go.
        """
        return self._seen(await self._api.act(f"{self._path}/archive", {"archive": keep} if keep else None))

    async def restore(self) -> Record:
        """Take it out of the archive."""
        return self._seen(await self._api.act(f"{self._path}/restore"))

    async def delete(self) -> None:
        """Delete it with all that belongs to it. What runs is stopped first, and gone then."""
        await self._api.ask("DELETE", self._path)

    async def events(self) -> Sequence[Event]:
        """Every change of its status, and who did what to it."""
        return await self._api.items(f"{self._path}/events", Event)

    async def attempts(self) -> Sequence[Attempt]:
        """Its containers."""
        return await self._api.items(f"{self._path}/attempts", Attempt)

    async def usage(self, attempt: int | None = None) -> Mapping[str, Any]:
        """What it uses, or used: processor time, memory, processes, disk."""
        usage: Mapping[str, Any] = await self._api.get(f"{self._path}/usage", attempt=attempt)
        return usage

    async def plots(self) -> Sequence[Plot]:
        """Pictures among its outputs: images, and figures of Plotly's as JSON. A notebook shows them."""
        plots = []
        async for file in self.outputs.list():
            kind = file.media_type.partition(";")[0]
            if kind.startswith("image/"):
                plots.append(Plot(file.path, "image", file.media_type, await self.outputs.read(file.path)))
            elif kind == "application/json" or kind.endswith("+json"):
                preview = await self._api.get(f"{self._path}/previews/{path_of(file.path)}")
                if preview.get("kind") == "plotly":
                    content = await self.outputs.read(file.path)
                    plots.append(Plot(file.path, "plotly", file.media_type, content, preview["value"]))
        return plots

    async def share(self, *, expires_in: int | None = None, note: str | None = None) -> Share:
        """Make an address that shows it to somebody who has no token. `links` are its addresses, told once.

        It is over after `expires_in` seconds: 7 days unless said otherwise, at most a year.
        """
        body = {"expires_in": expires_in, "note": note}
        body = {name: value for name, value in body.items() if value is not None}
        return Share(await self._api.ask("POST", f"{self._path}/shares", json=body))

    async def shares(self) -> Sequence[Share]:
        """The addresses that show it, or did until they were over; without their tokens."""
        return await self._api.items(f"{self._path}/shares", Share)

    async def unshare(self, share: str) -> None:
        """Let such an address show nothing any more."""
        await self._api.ask("DELETE", f"{self._path}/shares/{segment(share)}")

    async def code(self, language: str = "python") -> str:
        """A program that submits the same.

        `language` is `curl`, `bash`, `python`, `python-client` (with this package), `notebook`, `javascript`, `r` or
        `julia`.
        """
        request = Request("GET", f"{self._path}/code", params={"language": language})
        return (await self._api.transport.send(request)).text

    async def bundle(self, path: str | os.PathLike[str], *, contents: str | None = None) -> Path:
        """Write it as one archive, with its log, its outputs, checksums and provenance: docs/bundles.md.

        `contents` is `all`, the record and its `outputs`, or the `record` alone. `client.load_bundle` takes it in.
        """
        return await download(self._api.transport, f"{self._path}/bundle", Path(path), params={"contents": contents})

    @asynccontextmanager
    async def canceled_on_interrupt(self, *, force: bool = False) -> AsyncIterator[AsyncHandle]:
        """Within, Ctrl-C (or the cancellation of this task) cancels the execution too, before it goes on its way."""
        import anyio

        try:
            yield self
        except (KeyboardInterrupt, anyio.get_cancelled_exc_class()):
            with anyio.CancelScope(shield=True), suppress(TailraceError):
                await self.cancel(force=force)
            raise


def _streams(stream: str | Sequence[str] | None) -> str:
    if stream is None:
        return "stdout,stderr"
    return stream if isinstance(stream, str) else ",".join(stream)
