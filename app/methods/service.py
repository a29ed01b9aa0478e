"""Use cases of methods. Each is at most one short transaction.

Whoever may not see a method is told that there is none; whoever may see, but not change it, that they may not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.auth.service import Caller
from app.bootstrap import Process
from app.db.engine import Connection, reading, transaction
from app.db.orm import clock
from app.errors import Conflict, FieldError, InvalidRequest, NotAllowed, NotFound
from app.methods import repository
from app.methods.document import Document, Step, without_webhooks
from app.methods.model import LATEST, MethodRecord, Version, VersionRecord, Wanted
from app.methods.repository import Search, Shown

MAX_METHODS = 1000
MAX_VERSIONS = 1000
# What a document becomes, given the one it is made from. Raises `InvalidRequest`.
DocumentOf = Callable[[dict[str, Any]], Document]


@dataclass(frozen=True, slots=True)
class Details:
    """A method, what it is shown by, and its versions, the highest first."""

    shown: Shown
    versions: list[VersionRecord]


async def list_page(
    process: Process, caller: Caller, search: Search, *, limit: int, after: str | None
) -> tuple[list[Shown], bool]:
    """One page of what the caller may see, and whether there are more."""
    async with reading(process.database) as connection:
        found = await repository.list_methods(connection, search, sees=caller.sees, limit=limit + 1, after=after)
    return found[:limit], len(found) > limit


async def get(process: Process, caller: Caller, name: str) -> Details:
    """One method. Raises `NotFound`, also for somebody else's."""
    async with reading(process.database) as connection:
        return await _details(connection, caller, name)


async def get_version(process: Process, caller: Caller, name: str, version: str) -> VersionRecord:
    """One version, or the `latest`. Raises `NotFound`."""
    async with reading(process.database) as connection:
        return await _version(connection, caller, await _visible(connection, caller, name), version)


async def add(process: Process, caller: Caller, document: Document) -> VersionRecord:
    """A new method, with this as its first draft. Raises `Conflict` if the name is taken."""
    async with transaction(process.database) as connection:
        if not await _add_method(connection, caller, document.name):
            raise _taken(document.name)
        return await _add_version(connection, caller, document)


async def derive(
    process: Process, caller: Caller, name: str, *, version: str, document_of: DocumentOf
) -> VersionRecord:
    """A new draft, made from one of its versions. Raises `NotFound`, `NotAllowed`, `Conflict` and `InvalidRequest`."""
    async with transaction(process.database) as connection:
        method = await _own(connection, caller, name)
        original = await _original(connection, caller, method, version)
        return await _add_version(connection, caller, document_of(original.document))


async def clone(process: Process, caller: Caller, name: str, *, version: str, document_of: DocumentOf) -> VersionRecord:
    """A method of the caller's own, whose first draft is made from a version of another. Raises the same."""
    async with transaction(process.database) as connection:
        method = await _visible(connection, caller, name)
        original = (await _original(connection, caller, method, version)).document
        document = document_of(original if method.owner == caller.owner else without_webhooks(original))
        if not await _add_method(connection, caller, document.name):
            raise _taken(document.name)
        return await _add_version(connection, caller, document)


async def change(process: Process, caller: Caller, name: str, version: str, document_of: DocumentOf) -> VersionRecord:
    """Another document for a draft. Raises `Conflict` for what is published, and the same."""
    async with transaction(process.database) as connection:
        method = await _own(connection, caller, name)
        draft = await _draft(connection, caller, method, version)
        document = document_of(draft.document)
        await repository.change_draft(connection, name, draft.version, document.kept())
        return await _version(connection, caller, method, draft.version)


async def take_in(process: Process, caller: Caller, document: Document, *, publish: bool) -> tuple[VersionRecord, bool]:
    """Import: a new method, version or draft; what is there already and the same is left. Whether anything is new.

    Raises `NotAllowed` and `Conflict` for somebody else's, and `Conflict` for another published document.
    """
    async with transaction(process.database) as connection:
        new = await _add_method(connection, caller, document.name)
        try:
            method = await _own(connection, caller, document.name)
        except NotFound:
            raise _taken(document.name) from None
        there = None if new else await repository.find_version(connection, document.name, document.version)
        if there is not None and not there.is_draft:
            if Document.model_validate(there.document) != document:
                hint = "What is published does not change: give it another version."
                raise Conflict(f"`{document.name}@{document.version}` is published, and another one.", hint=hint)
            return there, False
        if there is None:
            await _add_version(connection, caller, document)
        else:
            await repository.change_draft(connection, document.name, document.version, document.kept())
        if publish:
            await _publish(connection, caller, method, document)
        return await _version(connection, caller, method, document.version), there is None


async def publish(process: Process, caller: Caller, name: str, version: str, document_of: DocumentOf) -> VersionRecord:
    """Freeze it, for good. Its document is judged once more. Raises `Conflict` if it is published, and the same."""
    async with transaction(process.database) as connection:
        method = await _own(connection, caller, name)
        draft = await _draft(connection, caller, method, version)
        await _publish(connection, caller, method, document_of(draft.document))
        return await _version(connection, caller, method, draft.version)


async def retire(process: Process, caller: Caller, name: str, version: str, *, retired: bool) -> VersionRecord:
    """Withdraw a published version, or take that back: it is not submitted any more, and not the latest."""
    async with transaction(process.database) as connection:
        method = await _own(connection, caller, name)
        found = await _version(connection, caller, method, version)
        if found.is_draft:
            raise Conflict(f"`{name}@{found.version}` is a draft.", hint="A draft can be deleted.")
        if (found.retired_at is not None) != retired:
            await repository.retire(connection, name, found.version, retired=retired)
        return await _version(connection, caller, method, found.version)


async def delete_draft(process: Process, caller: Caller, name: str, version: str) -> None:
    """Delete a draft; with the last version goes the method. Raises `Conflict` for what is published."""
    async with transaction(process.database) as connection:
        method = await _own(connection, caller, name)
        draft = await _draft(connection, caller, method, version)
        await repository.delete_draft(connection, name, draft.version)
        if not await repository.count_versions(connection, name):
            await repository.delete_method(connection, name)


async def delete(process: Process, caller: Caller, name: str) -> None:
    """Delete a method that never had anything published. Raises `Conflict` otherwise."""
    async with transaction(process.database) as connection:
        await _own(connection, caller, name)
        if any(not version.is_draft for version in await repository.list_versions(connection, name)):
            hint = f'Executions may refer to it. It can be hidden: PATCH /v1/methods/{name} {{"retired": true}}.'
            raise Conflict(f"`{name}` has published versions.", hint=hint)
        await repository.delete_method(connection, name)


async def change_method(process: Process, caller: Caller, name: str, change: Mapping[str, Any]) -> Details:
    """Who may see it, how many may run, when it is paused, whether it is hidden. Raises `NotFound` and `NotAllowed`."""
    columns = {name: value for name, value in change.items() if name != "retired"}
    if "retired" in change:
        columns["retired_at"] = clock() if change["retired"] else None
    if "pause_after_failures" in change:
        # Counted from now on.
        columns |= {"failures": 0, "last_failed": []}
    async with transaction(process.database) as connection:
        await _own(connection, caller, name)
        await repository.change_method(connection, name, columns)
        return await _details(connection, caller, name)


async def disable(process: Process, caller: Caller, name: str, reason: str) -> Details:
    """Refuse submissions with this reason, and let what is queued wait. Raises `NotFound` and `NotAllowed`."""
    async with transaction(process.database) as connection:
        await _own(connection, caller, name)
        await repository.disable(connection, name, by=caller.owner, reason=reason)
        return await _details(connection, caller, name)


async def enable(process: Process, caller: Caller, name: str) -> Details:
    """Let it be submitted, and what is queued start. Failures in a row are counted anew. Raises the same."""
    async with transaction(process.database) as connection:
        await _own(connection, caller, name)
        await repository.enable(connection, name)
        return await _details(connection, caller, name)


async def ring(process: Process, name: str) -> None:
    """Wake those who may take what waited for it."""
    async with reading(process.database) as connection:
        pools = await repository.list_ready_pools(connection, name)
    for pool in pools:
        await process.hints.ring(pool)


async def _add_method(connection: Connection, caller: Caller, name: str) -> bool:
    """A new one; False if there is one of this name. Raises `Conflict` if the caller has too many."""
    added = await repository.add_method(connection, name, caller.owner)
    if added and await repository.count_methods(connection, caller.owner) > MAX_METHODS:
        raise Conflict(f"`{caller.owner}` has {MAX_METHODS} methods already, the most there can be.")
    return added


async def _add_version(connection: Connection, caller: Caller, document: Document) -> VersionRecord:
    name, version = document.name, document.version
    if await repository.find_version(connection, name, version) is not None:
        raise Conflict(f"There is a version {version} of `{name}` already.", hint="Give it another version.")
    if await repository.count_versions(connection, name) >= MAX_VERSIONS:
        raise Conflict(f"`{name}` has {MAX_VERSIONS} versions already, the most there can be.")
    await repository.add_version(connection, name, version, document.kept(), caller.owner)
    added = await repository.find_version(connection, name, version)
    assert added is not None  # noqa: S101 - of this transaction
    return added


async def _publish(connection: Connection, caller: Caller, method: MethodRecord, document: Document) -> None:
    await _check_steps(connection, caller, document)
    await repository.publish(connection, method.name, document.version, caller.owner)


async def _check_steps(connection: Connection, caller: Caller, document: Document) -> None:
    """The methods of its steps must be there, and have no steps themselves. Raises `InvalidRequest`."""
    named = {key: step.method for key, step in (document.steps or {}).items() if step.method is not None}
    wanted = {name: Wanted.parse(name) for name in named.values()}
    rows = await repository.list_wanted(connection, set(wanted.values()), caller.sees) if wanted else []
    found = {Wanted(row.asked, row.asked_version): row for row in rows if row.owner is not None and row.published}
    wrong: list[FieldError] = []
    for key, name in named.items():
        row, where = found.get(wanted[name]), f"steps.{key}.method"
        if row is None:
            message = f"names a method that does not exist or is not published, or that you cannot see: `{name}`"
            wrong.append(FieldError(where, "unknown_method", message))
        elif (inner := Document.model_validate_json(row.document)).steps is not None:
            wrong.append(FieldError(where, "has_steps", "has steps itself: they do not go deeper"))
        else:
            wrong += _unfit((document.steps or {})[key], inner, f"steps.{key}")
    if wrong:
        raise InvalidRequest.of(wrong)


def _unfit(step: Step, method: Document, where: str) -> Iterator[FieldError]:
    """What a step says of its method that this does not have. What it does not say may still come with a batch."""
    for name in step.inputs:
        if name not in method.inputs.properties:
            yield FieldError(f"{where}.inputs.{name}", "unknown_input", "is no input of its method")
    if step.profile is not None and step.profile not in method.profiles:
        yield FieldError(f"{where}.profile", "unknown_profile", "is no profile of its method")


async def _details(connection: Connection, caller: Caller, name: str) -> Details:
    shown = await repository.find_shown(connection, name, sees=caller.sees)
    if shown is None:
        raise _no_such_method(name)
    versions = await repository.list_versions(connection, name)
    is_own = _owns(caller, shown.method)
    if not is_own:
        shown = replace(shown, method=replace(shown.method, shared_with=[]))
    return Details(shown, [version for version in versions if is_own or not version.is_draft])


async def _visible(connection: Connection, caller: Caller, name: str) -> MethodRecord:
    """Raises `NotFound`."""
    shown = await repository.find_shown(connection, name, sees=caller.sees)
    if shown is None:
        raise _no_such_method(name)
    return shown.method


async def _own(connection: Connection, caller: Caller, name: str) -> MethodRecord:
    """The caller's own, locked. Raises `NotFound`, and `NotAllowed` for one that they may only see."""
    method = await repository.find_method(connection, name, lock=True)
    if method is not None and _owns(caller, method):
        return method
    await _visible(connection, caller, name)
    hint = f"Make your own of it: POST /v1/methods/{name}/clone."
    raise NotAllowed(f"The method `{name}` is somebody else's.", hint=hint)


def _owns(caller: Caller, method: MethodRecord) -> bool:
    return caller.sees in {None, method.owner}


async def _version(connection: Connection, caller: Caller, method: MethodRecord, version: str) -> VersionRecord:
    """Raises `NotFound`; a draft is there for its owner only, and so are webhooks, whose URLs may be credentials."""
    if version != LATEST:
        try:
            version = str(Version.parse(version))
        except ValueError:
            raise _no_such_version(method.name, version) from None
    found = await repository.find_version(connection, method.name, None if version == LATEST else version)
    if found is None or (found.is_draft and not _owns(caller, method)):
        raise _no_such_version(method.name, version)
    return found if _owns(caller, method) else replace(found, document=without_webhooks(found.document))


async def _original(connection: Connection, caller: Caller, method: MethodRecord, version: str) -> VersionRecord:
    """What another one is made from: without a latest version the highest there is. Raises `NotFound`."""
    if version != LATEST or await repository.find_version(connection, method.name, None) is not None:
        return await _version(connection, caller, method, version)
    versions = await repository.list_versions(connection, method.name)
    seen = [each for each in versions if not each.is_draft or _owns(caller, method)]
    if not seen:
        raise _no_such_version(method.name, version)
    return await _version(connection, caller, method, seen[0].version)


async def _draft(connection: Connection, caller: Caller, method: MethodRecord, version: str) -> VersionRecord:
    """Raises `NotFound`, and `Conflict` for what is published."""
    found = await _version(connection, caller, method, version)
    if not found.is_draft:
        hint = f"Make another version of it: POST /v1/methods/{method.name}/versions."
        raise Conflict(f"`{method.name}@{found.version}` is published, and does not change.", hint=hint)
    return found


def _taken(name: str) -> Conflict:
    hint = f"If it is yours, make another version: POST /v1/methods/{name}/versions. Else choose another name."
    return Conflict(f"There is a method `{name}` already.", hint=hint)


def _no_such_method(name: str) -> NotFound:
    return NotFound(f"There is no method `{name}`.", hint="Those that you can see: GET /v1/methods.")


def _no_such_version(name: str, version: str) -> NotFound:
    said = "no published version" if version == LATEST else f"no version `{version}`"
    return NotFound(f"`{name}` has {said}.", hint=f"Its versions: GET /v1/methods/{name}.")
