"""All that a database holds, whatever table it is in."""

from __future__ import annotations

from contextlib import suppress

import asyncpg
import zstandard


async def all_bytes(database_url: str) -> list[bytes]:
    """Every value of every column, as text or as bytes, and what is compressed also as it was before."""
    connection = await asyncpg.connect(database_url)
    try:
        columns = await connection.fetch(
            """
            SELECT quote_ident(table_name) AS table, quote_ident(column_name) AS column, data_type = 'bytea' AS raw
            FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
            WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
            """,
        )
        found: list[bytes] = []
        for column in columns:
            value = column["column"] if column["raw"] else f"CAST({column['column']} AS text)"
            rows = await connection.fetch(f"SELECT {value} FROM {column['table']} WHERE {value} IS NOT NULL")  # noqa: S608
            for (each,) in rows:
                found += _opened(each) if isinstance(each, bytes) else [each.encode()]
        return found
    finally:
        await connection.close()


def _opened(stored: bytes) -> list[bytes]:
    """Compressed data, one or several after each other, may begin anywhere."""
    found, at = [stored], stored.find(zstandard.FRAME_HEADER)
    while at >= 0:
        with suppress(zstandard.ZstdError):
            found.append(zstandard.ZstdDecompressor().decompressobj().decompress(stored[at:]))
        at = stored.find(zstandard.FRAME_HEADER, at + 1)
    return found
