"""`tailrace request`: whatever the API can and no verb does."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from tailrace.cli import values
from tailrace.cli.noun import Noun
from tailrace.cli.output import Format, show_document, write
from tailrace.cli.session import session

app = Noun()


@app.verb(
    "request",
    "tailrace request GET /v1/quotas",
    "tailrace request PUT /v1/quotas/ann --set max_running=4",
    "tailrace request GET /v1/audit -p limit=5 -o yaml",
)
def request(
    method: Annotated[str, typer.Argument(help="GET, POST, PUT, PATCH or DELETE.")],
    path: Annotated[str, typer.Argument(help="As /v1/me.")],
    *,
    parameter: Annotated[
        list[str] | None, typer.Option("--param", "-p", metavar="NAME=VALUE", help="A parameter of the address.")
    ] = None,
    spec: Annotated[str | None, typer.Option("--spec", metavar="FILE|-", help="The body as JSON or YAML.")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="A field of the body.")
    ] = None,
    form: Annotated[Format, typer.Option("-o", "--format", help="json or yaml.")] = Format.JSON,
) -> None:
    """Send any request, with your token, and print the answer. `/docs` of the API has them all."""
    params: dict[str, list[str]] = {}
    for name, value in (values.pair(text, "--param") for text in parameter or ()):
        params.setdefault(name, []).append(value)
    body: Any = values.document(spec) if spec else None
    if changes:
        body = values.merged(body or {}, values.settings(changes))
    with session() as api:
        answer = api.client.request(method.upper(), f"/{path.lstrip('/')}", params=params, json=body)
    if isinstance(answer, bytes):
        sys.stdout.buffer.write(answer)
    elif isinstance(answer, str):
        write(answer.rstrip("\n"))
    elif answer is not None:
        show_document(answer, form)
