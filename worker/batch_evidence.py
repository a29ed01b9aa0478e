"""SQL of the check of batches. It only reads."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text

from app.db.engine import Connection
from worker.batch_invariants import BatchFacts

_GATHER = text("""
    SELECT batches.id, size, max_parallel,
        stop_reason IS NOT NULL AS stopped, batches.finished_at IS NOT NULL AS sealed,
        coalesce(ended, '{}') AS ended, coalesce(of_status.children, '{}') AS children,
        coalesce(gates.gated, 0) AS gated, coalesce(places, 0) AS places, coalesce(ready, 0) AS ready,
        coalesce(early, 0) AS early, coalesce(met, 0) AS met, coalesce(doomed, 0) AS doomed,
        CAST(extract(epoch FROM clock_timestamp() - greatest(batches.created_at, stop_requested_at, changed_at))
            AS double precision) AS quiet_for
    FROM batches LEFT JOIN LATERAL (
        SELECT jsonb_object_agg(status, number) AS children FROM (
            SELECT status, count(*) AS number FROM executions WHERE batch_id = batches.id GROUP BY status
        ) AS counted
    ) AS of_status ON true LEFT JOIN LATERAL (
        SELECT max(updated_at) AS changed_at,
            count(*) FILTER (WHERE waits AND executions.gated) AS gated,
            count(*) FILTER (WHERE NOT executions.gated AND finished_at IS NULL) AS places,
            count(*) FILTER (WHERE waits AND executions.gated AND NOT hold AND needs_left = 0) AS ready,
            count(*) FILTER (WHERE finished_at IS NULL AND (
                needs_left = 0 AND open_needs > 0 OR NOT waits AND (executions.gated OR needs_left > 0)
            )) AS early,
            count(*) FILTER (WHERE waits AND needs_left > 0 AND unmet_needs = 0) AS met,
            count(*) FILTER (WHERE waits AND needs_left > 0 AND failed_needs > 0) AS doomed
        FROM executions CROSS JOIN LATERAL (SELECT status = 'queued' AS waits) AS is_queued CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE needed.id IS NOT NULL AND needed.finished_at IS NULL) AS open_needs,
                count(*) FILTER (WHERE needed.status IS DISTINCT FROM 'succeeded') AS unmet_needs,
                count(*) FILTER (
                    WHERE needed.id IS NULL OR needed.status IN ('failed', 'timed_out', 'canceled', 'crashed')
                ) AS failed_needs
            FROM execution_needs LEFT JOIN executions AS needed ON needed.id = needed_id
            WHERE has_needs AND execution_id = executions.id
        ) AS needs
        WHERE batch_id = batches.id
    ) AS gates ON true
    WHERE batches.id > :after
        AND (batches.finished_at IS NULL OR CAST(:within AS double precision) IS NULL
            OR batches.finished_at > clock_timestamp() - make_interval(secs => :within))
    ORDER BY batches.id LIMIT :most
""")


async def gather_batches(connection: Connection, *, after: UUID, within: float | None, most: int) -> list[BatchFacts]:
    """The next batches in their order: the unfinished, and those that ended in the last so many seconds."""
    asked = {"after": after, "within": within, "most": most}
    return [BatchFacts(**row) for row in (await connection.execute(_GATHER, asked)).mappings()]
