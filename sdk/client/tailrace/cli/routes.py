"""What is typed for each request of the API, for its hints name requests. A test holds it against the API's own list.

In the words to be typed, names in braces are those of the route, and capitals are up to whoever types them.
"""

from __future__ import annotations

import re
from functools import cache

TYPED = {
    "POST /v1/executions": "run IMAGE -- COMMAND",
    "GET /v1/executions": "ls",
    "GET /v1/executions/{id}": "show {id}",
    "PATCH /v1/executions/{id}": "change {id}",
    "DELETE /v1/executions/{id}": "delete {id}",
    "GET /v1/executions/{id}/events": "events {id}",
    "GET /v1/executions/{id}/attempts": "attempts {id}",
    "GET /v1/executions/{id}/usage": "usage {id}",
    "GET /v1/executions/{id}/logs": "logs {id}",
    "GET /v1/executions/{id}/outputs": "outputs ls {id}",
    "GET /v1/executions/{id}/outputs.zip": "outputs get {id} --zip FILE",
    "GET /v1/executions/{id}/outputs/{path}": "outputs cat {id} {path}",
    "POST /v1/executions/{id}/shares": "share create {id}",
    "GET /v1/executions/{id}/shares": "share ls {id}",
    "DELETE /v1/executions/{id}/shares/{share}": "share delete {id} {share}",
    "GET /v1/executions/{id}/code": "code {id}",
    "GET /v1/executions/{id}/bundle": "bundle export {id}",
    "POST /v1/imports": "bundle import FILE",
    "POST /v1/executions/{id}/cancel": "cancel {id}",
    "POST /v1/executions/{id}/pause": "pause {id}",
    "POST /v1/executions/{id}/resume": "resume {id}",
    "POST /v1/executions/{id}/hold": "hold {id}",
    "POST /v1/executions/{id}/release": "release {id}",
    "POST /v1/executions/{id}/rerun": "rerun {id}",
    "POST /v1/executions/{id}/archive": "archive {id}",
    "POST /v1/executions/{id}/restore": "restore {id}",
    "POST /v1/executions:cancel": "cancel IDS",
    "POST /v1/executions:rerun": "rerun ID",
    "POST /v1/executions:archive": "archive IDS",
    "POST /v1/executions:restore": "restore IDS",
    "POST /v1/executions:delete": "delete IDS",
    "POST /v1/batches": "batch run",
    "GET /v1/batches": "batch ls",
    "GET /v1/batches/{id}": "batch show {id}",
    "GET /v1/batches/{id}/needs": "batch needs {id}",
    "DELETE /v1/batches/{id}": "batch delete {id}",
    "POST /v1/batches/{id}/cancel": "batch cancel {id}",
    "POST /v1/batches/{id}/rerun": "batch rerun {id}",
    "GET /v1/batches/{id}/outputs.zip": "batch outputs {id} --zip FILE",
    "POST /v1/methods": "method import FILE",
    "POST /v1/methods:import": "method import FILE",
    "GET /v1/methods": "method ls",
    "GET /v1/methods/{name}": "method show {name}",
    "PATCH /v1/methods/{name}": "method set {name}",
    "DELETE /v1/methods/{name}": "method delete {name}",
    "POST /v1/methods/{name}/disable": "method disable {name} REASON",
    "POST /v1/methods/{name}/enable": "method enable {name}",
    "POST /v1/methods/{name}/clone": "method clone {name} NEW",
    "GET /v1/methods/{name}/diff": "method diff {name} BEFORE AFTER",
    "POST /v1/methods/{name}/versions": "method draft {name} VERSION",
    "GET /v1/methods/{name}/versions/{version}": "method show {name}@{version}",
    "DELETE /v1/methods/{name}/versions/{version}": "method delete {name}@{version}",
    "POST /v1/methods/{name}/versions/{version}/publish": "method publish {name}@{version}",
    "POST /v1/methods/{name}/versions/{version}/retire": "method retire {name}@{version}",
    "POST /v1/methods/{name}/versions/{version}/restore": "method restore {name}@{version}",
    "GET /v1/methods/{name}/versions/{version}/export": "method export {name}@{version}",
    "POST /v1/schedules": "schedule create NAME",
    "GET /v1/schedules": "schedule ls",
    "GET /v1/schedules/{id}": "schedule show {id}",
    "PATCH /v1/schedules/{id}": "schedule set {id}",
    "DELETE /v1/schedules/{id}": "schedule delete {id}",
    "POST /v1/schedules/{id}/fire": "schedule fire {id}",
    "GET /v1/schedules/{id}/runs": "schedule runs {id}",
    "GET /v1/schedules/{id}/preview": "schedule preview {id}",
    "POST /v1/triggers": "trigger create NAME",
    "GET /v1/triggers": "trigger ls",
    "GET /v1/triggers/{id}": "trigger show {id}",
    "PATCH /v1/triggers/{id}": "trigger set {id}",
    "DELETE /v1/triggers/{id}": "trigger delete {id}",
    "POST /v1/triggers/{id}/rotate": "trigger rotate {id}",
    "GET /v1/triggers/{id}/deliveries": "trigger deliveries {id}",
    "POST /v1/webhooks": "webhook create URL",
    "GET /v1/webhooks": "webhook ls",
    "GET /v1/webhooks/{id}": "webhook show {id}",
    "PATCH /v1/webhooks/{id}": "webhook set {id}",
    "DELETE /v1/webhooks/{id}": "webhook delete {id}",
    "POST /v1/webhooks/{id}/rotate": "webhook rotate {id}",
    "POST /v1/webhooks/{id}/ping": "webhook ping {id}",
    "GET /v1/webhooks/{id}/deliveries": "webhook deliveries {id}",
    "GET /v1/webhooks/{id}/deliveries/{delivery}/body": "webhook message {id} {delivery}",
    "POST /v1/webhooks/{id}/deliveries/{delivery}/redeliver": "webhook redeliver {id} {delivery}",
    "POST /v1/notifications": "notification create",
    "GET /v1/notifications": "notification ls",
    "GET /v1/notifications/{id}": "notification show {id}",
    "PATCH /v1/notifications/{id}": "notification set {id}",
    "DELETE /v1/notifications/{id}": "notification delete {id}",
    "POST /v1/notifications/{id}/test": "notification test {id}",
    "GET /v1/notifications/{id}/log": "notification log {id}",
    "POST /v1/files": "file put FILE",
    "GET /v1/files": "file ls",
    "GET /v1/files/{id}": "file show {id}",
    "GET /v1/files/{id}/content": "file get {id}",
    "DELETE /v1/files/{id}": "file delete {id}",
    "GET /v1/pools": "pool ls",
    "POST /v1/pools": "pool create NAME",
    "GET /v1/pools/{name}": "pool show {name}",
    "PATCH /v1/pools/{name}": "pool set {name}",
    "DELETE /v1/pools/{name}": "pool delete {name}",
    "GET /v1/workers": "worker ls",
    "POST /v1/workers/{id}/pause": "worker pause {id}",
    "POST /v1/workers/{id}/drain": "worker drain {id}",
    "POST /v1/workers/{id}/resume": "worker resume {id}",
    "POST /v1/tokens": "token create NAME",
    "GET /v1/tokens": "token ls",
    "GET /v1/tokens/{id}": "token show {id}",
    "DELETE /v1/tokens/{id}": "token revoke {id}",
    "GET /v1/secrets": "secret ls",
    "PUT /v1/secrets/{name}": "secret set {name}",
    "DELETE /v1/secrets/{name}": "secret delete {name}",
    "GET /v1/me": "quota show",
    "POST /v1/session/tickets": "open",
    "GET /v1/quotas": "quota ls",
    "GET /v1/quotas/{owner}": "quota show {owner}",
    "PUT /v1/quotas/{owner}": "quota set {owner}",
    "DELETE /v1/quotas/{owner}": "quota delete {owner}",
    "GET /v1/audit": "audit ls",
    "GET /v1/audit/export": "audit export FILE",
    "GET /v1/retention": "retention",
    "GET /v1/stats": "top",
    "GET /v1/stats/counts": "top",
    "WS /v1/executions/{id}/tail": "logs -f {id}",
    "WS /v1/events": "events -f",
}

# A request as hints name it, perhaps with what to send, and perhaps in quotes.
_REQUEST = re.compile(
    r"`?\b(?P<method>GET|POST|PUT|PATCH|DELETE) (?P<path>(?:/v1|…)/[\w{}:/@.%+-]*[\w}])(?:\?[\w=&%.+-]*)?"
    r"(?:(?: with)? (?P<body>\{[^{}]*\}))?`?"
)
_FIELD = re.compile(r'"(\w+)": ("[^"]*"|[^,}]+)')
QUOTE = '"'
_OPTIONS = (
    (re.compile(r"`limits\.(\w+)`"), r"`--limit \1=…`"),
    (re.compile(r"`resume_from`"), "`--resume-from`"),
)
_PLACE = re.compile(r"\{(\w+)\}")


def in_verbs(text: str) -> str:
    """The same with what is typed in the place of requests, where there is a verb, and of fields that are options."""
    for field, option in _OPTIONS:
        text = field.sub(option, text)
    return _REQUEST.sub(_typed, text)


def _typed(said: re.Match[str]) -> str:
    path = said["path"].replace("…", "/v1/executions/{id}", 1)
    for pattern, words in _patterns(said["method"]):
        if found := pattern.fullmatch(path):
            # What a hint leaves open is for whoever types it.
            parts = {
                name: name.upper() if value == f"{{{name}}}" else value for name, value in found.groupdict().items()
            }
            fields = "".join(
                f" --set {name}={value.strip(QUOTE)}" for name, value in _FIELD.findall(said["body"] or "")
            )
            return f"`tailrace {words.format(**parts)}{fields}`"
    return said[0]


@cache
def _patterns(method: str) -> list[tuple[re.Pattern[str], str]]:
    """What is typed, by what a path of this method looks like."""
    found = []
    for route, words in TYPED.items():
        kind, path = route.split(" ")
        if kind == method:
            parts = [_PLACE.sub(_part, part) if part.startswith("{") else re.escape(part) for part in path.split("/")]
            found.append((re.compile("/".join(parts)), words))
    return found


def _part(place: re.Match[str]) -> str:
    return f"(?P<{place[1]}>{'.+' if place[1] == 'path' else '[^/]+'})"
