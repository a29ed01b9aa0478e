"""What a submission refers to: whether its files are there, and whether its URLs may be fetched."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import TypeVar

from app.db.engine import Connection
from app.errors import FieldError, InvalidRequest
from app.executions.model import Spec
from app.files import repository
from app.files.hosts import Hosts
from app.files.model import ids_of
from app.settings import Settings

Key = TypeVar("Key", bound=Hashable)
GONE = "names a file that does not exist, or not any more"


def check_urls(spec: Spec, settings: Settings) -> None:
    """Raises `InvalidRequest` naming each that this installation would not fetch."""
    hosts = Hosts.parse(settings.input_urls)
    wrong = list(_refused(spec, hosts))
    if wrong:
        hint = "Upload the file instead: POST /v1/files. Or ask your administrator about TAILRACE_INPUT_URLS."
        raise InvalidRequest(InvalidRequest.of(wrong).detail, hint=hint, fields=wrong)


def _refused(spec: Spec, hosts: Hosts) -> Iterator[FieldError]:
    for path, source in spec.files.items():
        if source.url is not None and not hosts.allow(source.url):
            why = (
                "is of a host from which nothing is fetched here"
                if hosts.any
                else "is not possible: no URL is fetched here"
            )
            yield FieldError(f"{spec.file_said_at(path)}.url", "url_not_allowed", why)


async def find_gone(
    connection: Connection, wanted: Mapping[Key, Spec], *, owner: str | None
) -> Mapping[Key, list[FieldError]]:
    """Of each of these new executions, by whatever it is known, what it refers to in vain. What is there is held until
    the transaction ends.
    """
    by_execution = {execution: ids_of(spec.files) for execution, spec in wanted.items()}
    everything = {file for ids in by_execution.values() for file in ids.values()}
    found = await repository.hold(connection, everything, owner=owner) if everything else {}
    return {
        execution: [
            FieldError(f"{wanted[execution].file_said_at(path)}.id", "gone", GONE)
            for path, file in ids.items()
            if file not in found
        ]
        for execution, ids in by_execution.items()
    }


async def check(connection: Connection, spec: Spec, *, owner: str | None) -> None:
    """Raises `InvalidRequest` naming each file that is not there; what is there is held."""
    wrong = (await find_gone(connection, {"it": spec}, owner=owner))["it"]
    if wrong:
        raise InvalidRequest(InvalidRequest.of(wrong).detail, hint="List yours: GET /v1/files.", fields=wrong)
