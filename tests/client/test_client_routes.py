"""Every request of the API has its place in the client and in the command line, or a reason to have none."""

import re

import pytest

import tailrace
from support.routes import routes
from support.running import REPOSITORY
from support.verbs import commands
from tailrace.cli.program import VERBS
from tailrace.cli.routes import TYPED, in_verbs

# By route, what of the client sends it.
SENT_BY = {
    "POST /v1/executions": "Client.submit",
    "GET /v1/executions": "Client.list",
    "GET /v1/executions/{id}": "Client.get",
    "PATCH /v1/executions/{id}": "Handle.change",
    "DELETE /v1/executions/{id}": "Handle.delete",
    "GET /v1/executions/{id}/events": "Handle.events",
    "GET /v1/executions/{id}/attempts": "Handle.attempts",
    "GET /v1/executions/{id}/usage": "Handle.usage",
    "GET /v1/executions/{id}/logs": "Handle.logs",
    "GET /v1/executions/{id}/outputs": "Outputs.list",
    "GET /v1/executions/{id}/outputs.zip": "Outputs.zip",
    "GET /v1/executions/{id}/outputs/{path}": "Outputs.read",
    "GET /v1/executions/{id}/previews/{path}": "Outputs.preview",
    "POST /v1/executions/{id}/shares": "Handle.share",
    "GET /v1/executions/{id}/shares": "Handle.shares",
    "DELETE /v1/executions/{id}/shares/{share}": "Handle.unshare",
    "GET /v1/executions/{id}/code": "Handle.code",
    "GET /v1/executions/{id}/bundle": "Handle.bundle",
    "POST /v1/imports": "Client.load_bundle",
    "POST /v1/executions/{id}/cancel": "Handle.cancel",
    "POST /v1/executions/{id}/pause": "Handle.pause",
    "POST /v1/executions/{id}/resume": "Handle.resume",
    "POST /v1/executions/{id}/hold": "Handle.hold",
    "POST /v1/executions/{id}/release": "Handle.release",
    "POST /v1/executions/{id}/rerun": "Handle.rerun",
    "POST /v1/executions/{id}/archive": "Handle.archive",
    "POST /v1/executions/{id}/restore": "Handle.restore",
    "POST /v1/executions:cancel": "Client.bulk",
    "POST /v1/executions:rerun": "Client.bulk",
    "POST /v1/executions:archive": "Client.bulk",
    "POST /v1/executions:restore": "Client.bulk",
    "POST /v1/executions:delete": "Client.bulk",
    "POST /v1/batches": "Batches.submit",
    "GET /v1/batches": "Batches.list",
    "GET /v1/batches/{id}": "Batches.get",
    "GET /v1/batches/{id}/needs": "Batch.needs",
    "DELETE /v1/batches/{id}": "Batch.delete",
    "POST /v1/batches/{id}/cancel": "Batch.cancel",
    "POST /v1/batches/{id}/rerun": "Batch.rerun",
    "GET /v1/batches/{id}/outputs.zip": "Batch.zip",
    "POST /v1/methods": "Methods.create",
    "POST /v1/methods:import": "Methods.load",
    "GET /v1/methods": "Methods.list",
    "GET /v1/methods/{name}": "Methods.get",
    "PATCH /v1/methods/{name}": "Methods.update",
    "DELETE /v1/methods/{name}": "Methods.delete",
    "POST /v1/methods/{name}/disable": "Methods.disable",
    "POST /v1/methods/{name}/enable": "Methods.enable",
    "POST /v1/methods/{name}/clone": "Methods.clone",
    "GET /v1/methods/{name}/diff": "Methods.diff",
    "POST /v1/methods/{name}/versions": "Methods.new_version",
    "GET /v1/methods/{name}/versions/{version}": "Methods.version",
    "PATCH /v1/methods/{name}/versions/{version}": "Methods.change",
    "DELETE /v1/methods/{name}/versions/{version}": "Methods.delete_version",
    "POST /v1/methods/{name}/versions/{version}/publish": "Methods.publish",
    "POST /v1/methods/{name}/versions/{version}/retire": "Methods.retire",
    "POST /v1/methods/{name}/versions/{version}/restore": "Methods.restore",
    "GET /v1/methods/{name}/versions/{version}/export": "Methods.export",
    "POST /v1/schedules": "Schedules.create",
    "GET /v1/schedules": "Schedules.list",
    "GET /v1/schedules/{id}": "Schedules.get",
    "PATCH /v1/schedules/{id}": "Schedules.update",
    "DELETE /v1/schedules/{id}": "Schedules.delete",
    "POST /v1/schedules/{id}/fire": "Schedules.fire",
    "GET /v1/schedules/{id}/runs": "Schedules.firings",
    "GET /v1/schedules/{id}/preview": "Schedules.upcoming",
    "POST /v1/schedules:preview": "Schedules.preview",
    "POST /v1/triggers": "Triggers.create",
    "GET /v1/triggers": "Triggers.list",
    "GET /v1/triggers/{id}": "Triggers.get",
    "PATCH /v1/triggers/{id}": "Triggers.update",
    "DELETE /v1/triggers/{id}": "Triggers.delete",
    "POST /v1/triggers/{id}/rotate": "Triggers.rotate",
    "GET /v1/triggers/{id}/deliveries": "Triggers.deliveries",
    "POST /v1/webhooks": "Webhooks.create",
    "GET /v1/webhooks": "Webhooks.list",
    "GET /v1/webhooks/{id}": "Webhooks.get",
    "PATCH /v1/webhooks/{id}": "Webhooks.update",
    "DELETE /v1/webhooks/{id}": "Webhooks.delete",
    "POST /v1/webhooks/{id}/rotate": "Webhooks.rotate",
    "POST /v1/webhooks/{id}/ping": "Webhooks.ping",
    "GET /v1/webhooks/{id}/deliveries": "Webhooks.deliveries",
    "GET /v1/webhooks/{id}/deliveries/{delivery}/body": "Webhooks.message",
    "POST /v1/webhooks/{id}/deliveries/{delivery}/redeliver": "Webhooks.redeliver",
    "POST /v1/notifications": "Notifications.create",
    "GET /v1/notifications": "Notifications.list",
    "GET /v1/notifications/{id}": "Notifications.get",
    "PATCH /v1/notifications/{id}": "Notifications.update",
    "DELETE /v1/notifications/{id}": "Notifications.delete",
    "POST /v1/notifications/{id}/test": "Notifications.test",
    "GET /v1/notifications/{id}/log": "Notifications.log",
    "POST /v1/files": "Files.upload",
    "GET /v1/files": "Files.list",
    "GET /v1/files/{id}": "Files.get",
    "GET /v1/files/{id}/content": "Files.read",
    "GET /v1/files/{id}/preview": "Files.preview",
    "DELETE /v1/files/{id}": "Files.delete",
    "GET /v1/pools": "Pools.list",
    "POST /v1/pools": "Pools.create",
    "GET /v1/pools/{name}": "Pools.get",
    "PATCH /v1/pools/{name}": "Pools.update",
    "DELETE /v1/pools/{name}": "Pools.delete",
    "GET /v1/workers": "Workers.list",
    "POST /v1/workers/{id}/pause": "Workers.pause",
    "POST /v1/workers/{id}/drain": "Workers.drain",
    "POST /v1/workers/{id}/resume": "Workers.resume",
    "POST /v1/tokens": "Tokens.create",
    "GET /v1/tokens": "Tokens.list",
    "GET /v1/tokens/{id}": "Tokens.get",
    "DELETE /v1/tokens/{id}": "Tokens.delete",
    "GET /v1/secrets": "Secrets.list",
    "PUT /v1/secrets/{name}": "Secrets.put",
    "DELETE /v1/secrets/{name}": "Secrets.delete",
    "GET /v1/me": "Client.me",
    "GET /v1/quotas": "OwnerQuotas.list",
    "GET /v1/quotas/{owner}": "OwnerQuotas.get",
    "PUT /v1/quotas/{owner}": "OwnerQuotas.set",
    "DELETE /v1/quotas/{owner}": "OwnerQuotas.delete",
    "GET /v1/audit": "Audit.list",
    "GET /v1/audit/export": "Audit.export",
    "GET /v1/retention": "Client.retention",
    "GET /v1/stats": "Client.stats",
    "GET /v1/stats/counts": "Client.counts",
    "WS /v1/executions/{id}/tail": "Handle.logs",
    "WS /v1/events": "Client.events",
}
BROWSERS = "Of browsers, which have no token."
NEITHER = {
    "POST /v1/session": BROWSERS,
    "DELETE /v1/session": BROWSERS,
    "POST /v1/ws-tickets": BROWSERS,
    "GET /v1/executions/{id}/share": BROWSERS,
    "POST /v1/triggers/{id}/deliveries": "Of others, who have an address and no client.",
    "PUT /v1/methods/{name}/versions/{version}": "To load a method does the same, new or not.",
}
NOT_SENT = {"POST /v1/session/tickets": "Of who sits at a browser: `tailrace open`."}
NOT_TYPED = {
    "GET /v1/executions/{id}/previews/{path}": "Of notebooks and pages; a terminal has `outputs cat`.",
    "GET /v1/files/{id}/preview": "The same: `file get`.",
    "PATCH /v1/methods/{name}/versions/{version}": "A draft is a file: `method import` takes it in again.",
    "POST /v1/schedules:preview": "`schedule preview` is for one that there is.",
}


def test_every_request_is_sent_by_the_client_and_typed_or_is_for_somebody_else() -> None:
    # What is not below /v1/ is of browsers, and of what watches over the API.
    found = {route for route in routes() if " /v1/" in route}
    assert len(found) > 100
    assert found == set(SENT_BY) | set(NEITHER) | set(NOT_SENT)
    assert found == set(TYPED) | set(NEITHER) | set(NOT_TYPED)
    assert not set(SENT_BY) & (set(NEITHER) | set(NOT_SENT))
    assert not set(TYPED) & (set(NEITHER) | set(NOT_TYPED))


def test_what_sends_a_request_is_there_with_and_without_blocking() -> None:
    for route, name in SENT_BY.items():
        kind, method = name.split(".")
        for face in (kind, f"Async{kind}"):
            assert callable(getattr(getattr(tailrace, face), method)), (route, face)


def test_what_is_typed_for_a_request_is_a_verb() -> None:
    known = commands()
    for route, words in TYPED.items():
        verb, *rest = words.split()
        name = f"{verb} {rest[0]}" if VERBS[verb].is_noun else verb
        assert name in known, (route, words)
        assert set(re.findall(r"\{(\w+)\}", words)) <= set(re.findall(r"\{(\w+)\}", route)), (route, words)
        # Every argument that has to be given is there.
        needed = [each for each in known[name].params if each.param_type_name == "argument" and each.required]
        given = words.removeprefix(name).split()
        assert len(given) >= len(needed), (route, words)


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        ("List yours: GET /v1/files.", "List yours: `tailrace file ls`."),
        ("List them: GET /v1/executions/01a2/outputs", "List them: `tailrace outputs ls 01a2`"),
        ("Revoke one: DELETE /v1/executions/1/shares/{share}.", "Revoke one: `tailrace share delete 1 SHARE`."),
        ('PATCH /v1/webhooks/7 with {"enabled": true}.', "`tailrace webhook set 7 --set enabled=true`."),
        ('hidden: PATCH /v1/methods/a {"retired": true}.', "hidden: `tailrace method set a --set retired=true`."),
        ('as a batch, `POST /v1/batches {"method": …}`', "as a batch, `tailrace batch run --set method=…`"),
        ("It waits. POST …/hold keeps it there.", "It waits. `tailrace hold ID` keeps it there."),
        ("Its versions: GET /v1/methods/a-b.", "Its versions: `tailrace method show a-b`."),
        (
            "Delete some: GET /v1/files, DELETE /v1/files/{id}; or",
            "Delete some: `tailrace file ls`, `tailrace file delete ID`; or",
        ),
        ("as GET /v1/retention says; what", "as `tailrace retention` says; what"),
        ("Raise `limits.timeout`, or use `resume_from`.", "Raise `--limit timeout=…`, or use `--resume-from`."),
        ("Ask POST /v1/nothing/here.", "Ask POST /v1/nothing/here."),
    ],
)
def test_hints_say_what_is_typed(hint: str, shown: str) -> None:
    assert in_verbs(hint) == shown


def test_every_request_that_a_hint_names_is_one_that_can_be_typed() -> None:
    """By the source of the API: a route that is renamed leaves no hint behind."""
    named = re.compile(r"(?:GET|POST|PUT|PATCH|DELETE) /v1/[^\s\"'`,;]*")
    hints = re.compile(r"hint\s*=\s*\(?\s*f?[\"'](.*)", re.IGNORECASE)
    found = {
        request.group()
        for path in (REPOSITORY / "app").rglob("*.py")
        for line in hints.findall(path.read_text())
        for request in named.finditer(line)
    }
    assert len(found) > 15
    for request in found:
        said = re.sub(r"\{[^{}]*\}", "x", request.replace("{{", "{").replace("}}", "}")).rstrip(".")
        assert in_verbs(said) != said, request
