"""What every route demands of who calls it, and how it is called: the one table that a new route has to be added to.

`{noun}` in a path, query or body stands for the id of such an object of the owner (`belongings.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from belongings import MAIL, RUN

from app.auth.tokens import Scope


class Whose(Enum):
    """What the route is about, and so what it says to somebody else with all scopes of a user."""

    PATH = "an object that the path names: 404"
    BODY = "an object that the body names: it is refused, as one that is not there"
    CALLER = "whatever is the caller's: of others they see and change nothing"
    ALL = "what everybody shares"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Without `needs` anybody may, also without a token; `ANY` is any token. `answers` are those to who may."""

    needs: frozenset[Scope] = frozenset()
    whose: Whose = Whose.ALL
    json: Any = None
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    # Whether a share of the execution is enough.
    shown: bool = False
    # Which object the path's `{id}` or `{name}` is, if not the first of the route's noun.
    noun: str = ""
    answers: tuple[int, ...] = (200,)


ANY = frozenset(Scope)
READ, SUBMIT, CANCEL = (frozenset({scope}) for scope in (Scope.READ, Scope.SUBMIT, Scope.CANCEL))
ADMIN = frozenset({Scope.ADMIN})

WITH_FILE = {**RUN, "files": {"rows": {"id": "{files}"}}}


def public(**more: Any) -> Rule:
    return Rule(**more)


def own(needs: frozenset[Scope], *answers: int, **more: Any) -> Rule:
    return Rule(needs=needs, whose=Whose.PATH, answers=answers or (200,), **more)


def naming(needs: frozenset[Scope], *answers: int, **more: Any) -> Rule:
    return Rule(needs=needs, whose=Whose.BODY, answers=answers or (200,), **more)


def mine(needs: frozenset[Scope], *answers: int, **more: Any) -> Rule:
    return Rule(needs=needs, whose=Whose.CALLER, answers=answers or (200,), **more)


def shared(needs: frozenset[Scope], *answers: int, **more: Any) -> Rule:
    return Rule(needs=needs, whose=Whose.ALL, answers=answers or (200,), **more)


DOCUMENT = {"name": "{methods}", "version": "1.0.0", **RUN}
EVERY = {"all": True}

RULES: dict[str, Rule] = {
    "GET /": public(),
    "GET /healthz": public(),
    "GET /readyz": public(),
    "GET /docs": public(),
    "GET /login": public(),
    "GET /openapi.json": public(),
    "GET /metrics": shared(READ),
    "GET /v1/me": mine(ANY),
    # Nobody gives or takes away more than they have.
    "POST /v1/tokens": mine(READ, 201, json={"name": "wall", "role": "viewer"}),
    "GET /v1/tokens": mine(READ),
    "GET /v1/tokens/{id}": own(READ),
    "DELETE /v1/tokens/{id}": own(READ, 204),
    "POST /v1/session": mine(ANY, 201),
    "DELETE /v1/session": mine(ANY, 204),
    "POST /v1/session/tickets": mine(ANY, 201),
    "POST /v1/ws-tickets": mine(READ, 201),
    "GET /v1/audit": mine(READ),
    "GET /v1/audit/export": mine(READ),

    "POST /v1/executions": naming(SUBMIT, 201, json=WITH_FILE),
    "GET /v1/executions": mine(READ),
    "GET /v1/executions/{id}": own(READ, shown=True),
    "PATCH /v1/executions/{id}": own(CANCEL, json={"note": "seen"}),
    "DELETE /v1/executions/{id}": own(CANCEL, 204),
    "GET /v1/executions/{id}/events": own(READ, shown=True),
    "GET /v1/executions/{id}/attempts": own(READ, shown=True),
    "GET /v1/executions/{id}/usage": own(READ, shown=True),
    "GET /v1/executions/{id}/logs": own(READ, shown=True),
    "WS /v1/executions/{id}/tail": own(READ, shown=True),
    "GET /v1/executions/{id}/outputs": own(READ, shown=True),
    "GET /v1/executions/{id}/outputs.zip": own(READ, shown=True),
    "GET /v1/executions/{id}/outputs/{path}": own(READ, shown=True),
    "GET /v1/executions/{id}/previews/{path}": own(READ, shown=True),
    "POST /v1/executions/{id}/shares": own(SUBMIT, 201, json={}),
    "GET /v1/executions/{id}/shares": own(READ),
    "DELETE /v1/executions/{id}/shares/{share}": own(SUBMIT, 204),
    # 404 is to who comes by no share.
    "GET /v1/executions/{id}/share": own(READ, 200, 404, shown=True),
    "GET /v1/executions/{id}/code": own(SUBMIT),
    "GET /v1/executions/{id}/bundle": own(SUBMIT),
    "POST /v1/executions/{id}/cancel": own(CANCEL, 202, noun="queued"),
    "POST /v1/executions/{id}/pause": own(CANCEL, 409, noun="queued"),
    "POST /v1/executions/{id}/resume": own(CANCEL, noun="queued"),
    "POST /v1/executions/{id}/hold": own(CANCEL, noun="queued"),
    "POST /v1/executions/{id}/release": own(CANCEL, noun="queued"),
    "POST /v1/executions/{id}/rerun": own(SUBMIT, 201),
    "POST /v1/executions/{id}/archive": own(CANCEL),
    "POST /v1/executions/{id}/restore": own(CANCEL),
    "POST /v1/executions:cancel": mine(CANCEL, json=EVERY),
    "POST /v1/executions:rerun": mine(SUBMIT, json=EVERY),
    "POST /v1/executions:archive": mine(CANCEL, json=EVERY),
    "POST /v1/executions:restore": mine(CANCEL, json=EVERY),
    "POST /v1/executions:delete": mine(CANCEL, json=EVERY),
    "POST /v1/imports": mine(SUBMIT, 422, content=b"no zip", headers={"Content-Type": "application/zip"}),
    "WS /v1/events": mine(READ, query="after=0"),

    "POST /v1/batches": naming(SUBMIT, 201, json={"items": [WITH_FILE]}),
    "GET /v1/batches": mine(READ),
    "GET /v1/batches/{id}": own(READ),
    "DELETE /v1/batches/{id}": own(CANCEL, 202, 204),
    "POST /v1/batches/{id}/cancel": own(CANCEL, 202),
    "POST /v1/batches/{id}/rerun": own(SUBMIT, 409),
    "GET /v1/batches/{id}/needs": own(READ),
    "GET /v1/batches/{id}/outputs.zip": own(READ),

    "POST /v1/files": mine(SUBMIT, 201, content=b"a,b\n", query="name=rows.csv"),
    "GET /v1/files": mine(READ),
    "GET /v1/files/{id}": own(READ),
    "GET /v1/files/{id}/content": own(READ),
    "GET /v1/files/{id}/preview": own(READ),
    "DELETE /v1/files/{id}": own(SUBMIT, 204),

    "GET /v1/secrets": mine(READ),
    "PUT /v1/secrets/{name}": mine(SUBMIT, 201, json={"value": "b7c1-not-a-real-one"}, noun="variable"),
    "DELETE /v1/secrets/{name}": own(SUBMIT, 204),
    "POST /v1/methods": mine(SUBMIT, 201, json={**DOCUMENT, "name": "{new}"}),
    "POST /v1/methods:import": naming(SUBMIT, json=DOCUMENT),
    "GET /v1/methods": mine(READ),
    "GET /v1/methods/{name}": own(READ),
    "PATCH /v1/methods/{name}": own(SUBMIT, json={"max_running": 1}),
    "DELETE /v1/methods/{name}": own(SUBMIT, 204),
    "POST /v1/methods/{name}/disable": own(SUBMIT, json={"reason": "broken"}),
    "POST /v1/methods/{name}/enable": own(SUBMIT),
    "POST /v1/methods/{name}/clone": own(SUBMIT, 201, json={"name": "{new}"}),
    "GET /v1/methods/{name}/diff": own(READ, query="from=1.0.0&to=1.0.0"),
    "POST /v1/methods/{name}/versions": own(SUBMIT, 201, json={"version": "1.1.0", "from": "1.0.0"}),
    "GET /v1/methods/{name}/versions/{version}": own(READ),
    "PUT /v1/methods/{name}/versions/{version}": own(SUBMIT, json=DOCUMENT),
    "PATCH /v1/methods/{name}/versions/{version}": own(SUBMIT, json={"title": "Train"}),
    "DELETE /v1/methods/{name}/versions/{version}": own(SUBMIT, 204),
    "POST /v1/methods/{name}/versions/{version}/publish": own(SUBMIT),
    "POST /v1/methods/{name}/versions/{version}/retire": own(SUBMIT, 409),
    "POST /v1/methods/{name}/versions/{version}/restore": own(SUBMIT, 409),
    "GET /v1/methods/{name}/versions/{version}/export": own(READ),

    "POST /v1/schedules": naming(
        SUBMIT, 201, json={"name": "s-2", "rule": {"cron": "@daily"}, "targets": [{"execution": WITH_FILE}]}
    ),
    "POST /v1/schedules:preview": shared(READ, json={"rule": {"cron": "@daily"}}),
    "GET /v1/schedules": mine(READ),
    "GET /v1/schedules/{id}": own(READ),
    "PATCH /v1/schedules/{id}": own(SUBMIT, json={"enabled": False}),
    "DELETE /v1/schedules/{id}": own(SUBMIT, 204),
    "POST /v1/schedules/{id}/fire": own(SUBMIT, 201),
    "GET /v1/schedules/{id}/runs": own(READ),
    "GET /v1/schedules/{id}/preview": own(READ),

    "POST /v1/triggers": naming(SUBMIT, 201, json={"name": "t-2", "target": {"execution": WITH_FILE}}),
    "GET /v1/triggers": mine(READ),
    "GET /v1/triggers/{id}": own(READ),
    "PATCH /v1/triggers/{id}": own(SUBMIT, json={"enabled": False}),
    "DELETE /v1/triggers/{id}": own(SUBMIT, 204),
    "POST /v1/triggers/{id}/rotate": own(SUBMIT),
    "GET /v1/triggers/{id}/deliveries": own(READ),
    # The address has a token of its own, and without that nothing is there, whoever asks.
    "POST /v1/triggers/{id}/deliveries": public(json={}, answers=(404,)),

    "POST /v1/webhooks": mine(SUBMIT, 201, json={"url": "http://127.0.0.1:9999/hook"}),
    "GET /v1/webhooks": mine(READ),
    "GET /v1/webhooks/{id}": own(READ),
    "PATCH /v1/webhooks/{id}": own(SUBMIT, json={"enabled": False}),
    "DELETE /v1/webhooks/{id}": own(SUBMIT, 204),
    "POST /v1/webhooks/{id}/rotate": own(SUBMIT),
    "POST /v1/webhooks/{id}/ping": own(SUBMIT, 202),
    "GET /v1/webhooks/{id}/deliveries": own(READ),
    "GET /v1/webhooks/{id}/deliveries/{delivery}/body": own(READ),
    "POST /v1/webhooks/{id}/deliveries/{delivery}/redeliver": own(SUBMIT, 202),

    "POST /v1/notifications": mine(SUBMIT, 201, json={"to": MAIL}),
    "GET /v1/notifications": mine(READ),
    "GET /v1/notifications/{id}": own(READ),
    "PATCH /v1/notifications/{id}": own(SUBMIT, json={"enabled": False}),
    "DELETE /v1/notifications/{id}": own(SUBMIT, 204),
    "POST /v1/notifications/{id}/test": own(SUBMIT, 202),
    "GET /v1/notifications/{id}/log": own(READ),

    "GET /v1/pools": shared(READ),
    "POST /v1/pools": shared(ADMIN, 201, json={"name": "{new}"}),
    "GET /v1/pools/{name}": shared(READ),
    "PATCH /v1/pools/{name}": shared(ADMIN, json={"max_running": 4}),
    "DELETE /v1/pools/{name}": shared(ADMIN, 204),
    "GET /v1/workers": shared(READ),
    "POST /v1/workers/{id}/pause": shared(ADMIN),
    "POST /v1/workers/{id}/drain": shared(ADMIN),
    "POST /v1/workers/{id}/resume": shared(ADMIN),
    "GET /v1/stats": mine(READ),
    "GET /v1/stats/counts": mine(READ),
    "GET /v1/retention": shared(ADMIN),
    "GET /v1/quotas": shared(ADMIN),
    "GET /v1/quotas/{owner}": shared(ADMIN),
    "PUT /v1/quotas/{owner}": shared(ADMIN, json={"max_queued": 5}),
    "DELETE /v1/quotas/{owner}": shared(ADMIN, 204),
}  # fmt: skip
