"""SQL of methods. The limit of one is counted in `worker/queue.py`, its failures by a trigger."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Row, RowMapping, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as insert_or_not

from app.db.engine import Connection
from app.db.orm import clock
from app.executions.tables import OF_A_METHOD, READY
from app.methods.model import MethodRecord, Version, VersionRecord, Visibility, Wanted
from app.methods.tables import Method, MethodVersion

# What is latest is what nobody takes for a trial, and nobody has withdrawn.
_CURRENT = "published_at IS NOT NULL AND retired_at IS NULL AND is_release"
_VISIBLE = """
    (CAST(:sees AS text) IS NULL OR methods.owner = :sees OR visibility = 'everyone'
        OR visibility = 'named' AND :sees = ANY (shared_with))
"""
# One statement for all that a request names.
_WANTED = text(f"""
    SELECT asked.name AS asked, asked.version AS asked_version, methods.owner, methods.runnable, methods.disabled_by,
        methods.disabled_reason, methods.retired_at IS NOT NULL AS retired, found.version, found.document,
        found.published_at IS NOT NULL AS published, found.retired_at IS NOT NULL AS version_retired
    FROM unnest(CAST(:names AS text[]), CAST(:versions AS text[])) AS asked (name, version)
    LEFT JOIN methods ON methods.name = asked.name AND {_VISIBLE}
    LEFT JOIN LATERAL (
        SELECT version, document::text AS document, published_at, retired_at FROM method_versions
        WHERE method = methods.name AND CASE WHEN asked.version IS NULL THEN {_CURRENT} ELSE version = asked.version END
        ORDER BY major DESC, minor DESC, patch DESC LIMIT 1
    ) AS found ON true
""")  # noqa: S608 - of constants
# What a method is shown by: its latest version, else the highest that was published, else, to its owner, a draft.
_SHOWN = f"""
    SELECT version, document, {_CURRENT} AS current FROM method_versions
    WHERE method = methods.name
        AND (published_at IS NOT NULL OR CAST(:sees AS text) IS NULL OR methods.owner = :sees)
    ORDER BY {_CURRENT} DESC, published_at IS NOT NULL DESC, retired_at IS NULL DESC,
        major DESC, minor DESC, patch DESC, is_release DESC, version DESC LIMIT 1
"""  # noqa: S608 - of constants
_LIST = text(f"""
    SELECT methods.*, shown.version, shown.current, json_build_object(
        'title', shown.document -> 'title', 'description', shown.document -> 'description',
        'category', shown.document -> 'category', 'keywords', coalesce(shown.document -> 'keywords', '[]')
    ) AS document
    FROM methods CROSS JOIN LATERAL ({_SHOWN}) AS shown
    WHERE {_VISIBLE}
        AND (CAST(:name AS text) IS NULL OR name = :name)
        AND (CAST(:after AS text) IS NULL OR name > :after)
        AND (CAST(:owner AS text) IS NULL OR owner = :owner)
        AND (CAST(:category AS text) IS NULL OR shown.document ->> 'category' = :category)
        AND (CAST(:keyword AS text) IS NULL OR shown.document::jsonb -> 'keywords' ? :keyword)
        AND (CAST(:retired AS boolean) IS NULL OR (retired_at IS NOT NULL) = :retired)
        AND NOT EXISTS (
            SELECT FROM unnest(CAST(:words AS text[])) AS word WHERE position(word IN lower(concat_ws(' ',
                name, shown.document ->> 'title', shown.document ->> 'description', shown.document ->> 'category',
                shown.document ->> 'keywords'))) = 0
        )
    ORDER BY name LIMIT :limit
""")  # noqa: S608 - of constants
_POOLS = text(f"SELECT DISTINCT pool FROM executions WHERE method_name = :name AND {READY} AND {OF_A_METHOD}")  # noqa: S608 - of constants
_RECORD = tuple(field.name for field in fields(MethodRecord))
_VERSION = tuple(field.name for field in fields(VersionRecord))
_VERSIONS = select(*(MethodVersion.__table__.c[name] for name in _VERSION))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A method with what it is shown by, of whose document only some fields; `current`: that is its latest version."""

    method: MethodRecord
    version: str
    document: Mapping[str, Any]
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which methods; what is left out does not restrict. `words` are in small letters."""

    words: Sequence[str] = ()
    keyword: str | None = None
    category: str | None = None
    owner: str | None = None
    retired: bool | None = False


async def list_wanted(connection: Connection, wanted: Collection[Wanted], sees: str | None) -> Sequence[Row[Any]]:
    """Of each of these the method, if `sees` may (None: all), and its version, if there is one."""
    pairs = list(wanted)
    asked = {"names": [each.name for each in pairs], "versions": [each.version for each in pairs], "sees": sees}
    return (await connection.execute(_WANTED, asked)).all()


async def list_methods(
    connection: Connection, search: Search, *, sees: str | None, limit: int, after: str | None = None
) -> list[Shown]:
    """A page of those that `sees` may see (None: all), by name."""
    asked = {
        "words": list(search.words),
        "keyword": search.keyword,
        "category": search.category,
        "owner": search.owner,
        "retired": search.retired,
        "name": None,
        "sees": sees,
        "limit": limit,
        "after": after,
    }
    return [_shown(row) for row in (await connection.execute(_LIST, asked)).mappings()]


async def find_shown(connection: Connection, name: str, *, sees: str | None) -> Shown | None:
    """One of them."""
    asked = dict.fromkeys(("keyword", "category", "owner", "retired", "after"))
    row = await connection.execute(_LIST, {**asked, "words": [], "name": name, "sees": sees, "limit": 1})
    found = row.mappings().one_or_none()
    return _shown(found) if found else None


async def find_method(connection: Connection, name: str, *, lock: bool = False) -> MethodRecord | None:
    """The method; `lock` keeps it and its versions until the transaction ends."""
    statement = select(Method.__table__).where(Method.name == name)
    if lock:
        statement = statement.with_for_update(key_share=True)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return _method(row) if row else None


async def add_method(connection: Connection, name: str, owner: str) -> bool:
    """A new one; False if there is one of this name."""
    statement = insert_or_not(Method).values(name=name, owner=owner).on_conflict_do_nothing(index_elements=["name"])
    return (await connection.execute(statement)).rowcount > 0


async def count_methods(connection: Connection, owner: str) -> int:
    """How many are this owner's."""
    counted = select(func.count()).select_from(Method).where(Method.owner == owner)
    return int((await connection.execute(counted)).scalar_one())


async def change_method(connection: Connection, name: str, columns: Mapping[str, Any]) -> None:
    """Change some columns. Waits for a claim that is under way."""
    await connection.execute(update(Method).where(Method.name == name).values(**columns, updated_at=clock()))


async def disable(connection: Connection, name: str, *, by: str, reason: str) -> None:
    """It is not to run, for this reason."""
    columns = {"runnable": False, "disabled_by": by, "disabled_at": clock(), "disabled_reason": reason}
    await change_method(connection, name, columns)


async def enable(connection: Connection, name: str) -> None:
    """It may run again, and its failures are forgotten."""
    columns: dict[str, Any] = {
        "disabled_by": None,
        "disabled_at": None,
        "disabled_reason": None,
        "failures": 0,
        "last_failed": [],
    }
    await change_method(connection, name, {"runnable": True, **columns})


async def delete_method(connection: Connection, name: str) -> None:
    """It and its drafts. What is published cannot be deleted."""
    await connection.execute(delete(Method).where(Method.name == name))


async def list_versions(connection: Connection, name: str) -> list[VersionRecord]:
    """All of them, the highest first, without their documents."""
    columns = [MethodVersion.__table__.c[column] for column in _VERSION if column != "document"]
    rows = (await connection.execute(select(*columns).where(MethodVersion.method == name))).mappings()
    return sorted((VersionRecord(**row, document={}) for row in rows), key=lambda each: each.order, reverse=True)


async def find_version(connection: Connection, name: str, version: str | None) -> VersionRecord | None:
    """One version; None is the latest."""
    statement = _VERSIONS.where(MethodVersion.method == name)
    if version is not None:
        statement = statement.where(MethodVersion.version == version)
    else:
        order = (MethodVersion.major.desc(), MethodVersion.minor.desc(), MethodVersion.patch.desc())
        statement = statement.where(text(_CURRENT)).order_by(*order).limit(1)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return VersionRecord(**row) if row else None


async def count_versions(connection: Connection, name: str) -> int:
    """How many it has."""
    counted = select(func.count()).select_from(MethodVersion).where(MethodVersion.method == name)
    return int((await connection.execute(counted)).scalar_one())


async def add_version(connection: Connection, name: str, version: str, document: Mapping[str, Any], by: str) -> None:
    """A new draft."""
    order = Version.parse(version)
    await connection.execute(
        insert(MethodVersion).values(
            method=name,
            version=version,
            major=order.major,
            minor=order.minor,
            patch=order.patch,
            is_release=not order.prerelease,
            document=dict(document),
            created_by=by,
        )
    )


async def change_draft(connection: Connection, name: str, version: str, document: Mapping[str, Any]) -> None:
    """Another document in its place."""
    await _change_version(connection, name, version, {"document": dict(document), "updated_at": clock()})


async def publish(connection: Connection, name: str, version: str, by: str) -> None:
    """From now on it does not change."""
    await _change_version(connection, name, version, {"published_at": clock(), "published_by": by})


async def retire(connection: Connection, name: str, version: str, *, retired: bool) -> None:
    """Withdraw it, or take that back."""
    await _change_version(connection, name, version, {"retired_at": clock() if retired else None})


async def delete_draft(connection: Connection, name: str, version: str) -> None:
    """It is gone."""
    await connection.execute(
        delete(MethodVersion).where(MethodVersion.method == name, MethodVersion.version == version)
    )


async def list_ready_pools(connection: Connection, name: str) -> list[str]:
    """Where executions of it wait for their turn."""
    return list((await connection.execute(_POOLS, {"name": name})).scalars())


async def _change_version(connection: Connection, name: str, version: str, columns: Mapping[str, Any]) -> None:
    one = update(MethodVersion).where(MethodVersion.method == name, MethodVersion.version == version)
    await connection.execute(one.values(**columns))


def _method(row: RowMapping) -> MethodRecord:
    return MethodRecord(**{name: row[name] for name in _RECORD} | {"visibility": Visibility(row["visibility"])})


def _shown(row: RowMapping) -> Shown:
    return Shown(method=_method(row), version=row["version"], document=row["document"], current=row["current"])
