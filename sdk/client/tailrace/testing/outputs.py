"""What an execution leaves: its log and its files."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import mimetypes
import re
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from tailrace.testing.execution import Execution, written
from tailrace.testing.executions import one
from tailrace.testing.listener import Answer, Request
from tailrace.testing.listing import MOST, page_limit
from tailrace.testing.log import LogQuery
from tailrace.testing.problems import Problem, Wrong, invalid, not_faked, not_found
from tailrace.testing.routing import Call, Routes
from tailrace.testing.worker import fills

routes = Routes()
_ONE = "/v1/executions/{id}"
_MEDIA_TYPES = {
    "text": "text/plain; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "raw": "application/octet-stream",
}
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@routes.on("GET", _ONE + "/logs")
def logs(call: Call, id: str) -> Answer:  # noqa: A002  that is what it is
    """Its lines so far."""
    execution = one(call, id)
    if call.request.said("follow") == "true":
        raise not_faked("logs that are followed over HTTP; it has the WebSocket")
    query = LogQuery(call.request.query, call.world.now().timestamp(), reading=True)
    headers = {"Content-Type": _MEDIA_TYPES[query.format]}
    if call.request.said("download") == "true":
        headers["Content-Disposition"] = f'attachment; filename="{id}.log"'
    lines = [] if "log" in execution.expired else execution.lines
    return Answer(200, query.written(lines), headers)


@routes.on("GET", _ONE + "/outputs")
def outputs(call: Call, id: str) -> Answer:  # noqa: A002  that is what it is
    """The files, by path."""
    execution = one(call, id)
    call.knows("limit", "cursor")
    wrong: list[Wrong] = []
    limit = page_limit(call.request.query, wrong, default=MOST)
    after = _path_behind(call.request.said("cursor"), wrong)
    if wrong:
        raise invalid(wrong)
    paths = sorted(path for path in execution.outputs if path > after)
    shown, declared = paths[:limit], execution.spec["outputs"]
    summary = execution.record()["outputs"]
    filled = None if after else {each["path"]: 0 for each in declared}
    for path in execution.outputs if filled is not None else ():
        if (first := _declared(path, execution)) is not None and filled is not None:
            filled[first] += 1
    return Answer.of(
        {
            "items": [_file(execution, path) for path in shown],
            **summary,
            "declared": [{**each, "files": filled[each["path"]] if filled is not None else None} for each in declared],
            "next": base64.urlsafe_b64encode(shown[-1].encode()).decode() if len(paths) > limit else None,
        }
    )


def _path_behind(cursor: str, wrong: list[Wrong]) -> str:
    try:
        return base64.urlsafe_b64decode(cursor).decode()
    except ValueError:
        message = "is not a cursor of this list: use the `next` of a page, unchanged"
        wrong.append(Wrong("cursor", "bad_cursor", message))
        return ""


def _declared(path: str, execution: Execution) -> str | None:
    return next((each["path"] for each in execution.spec["outputs"] if fills(path, each["path"])), None)


def _media_type(execution: Execution, path: str) -> str:
    said = next((each["media_type"] for each in execution.spec["outputs"] if fills(path, each["path"])), None)
    return said or mimetypes.guess_type(path)[0] or "application/octet-stream"


def _file(execution: Execution, path: str) -> dict[str, Any]:
    own, content = f"/v1/executions/{execution.id}", execution.outputs[path]
    return {
        "path": path,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "media_type": _media_type(execution, path),
        "declared": _declared(path, execution),
        "links": {"self": f"{own}/outputs/{quote(path)}", "preview": f"{own}/previews/{quote(path)}"},
    }


def _content(execution: Execution, path: str) -> bytes:
    if path not in execution.outputs:
        gone = execution.expired.get("outputs")
        if gone is not None:
            raise Problem(404, f"The outputs of {execution.id} were removed at {written(gone)}.")
        raise not_found("output", f"`{path}`")
    return execution.outputs[path]


@routes.on("GET", _ONE + "/outputs/{path}")
def output(call: Call, id: str, path: str) -> Answer:  # noqa: A002  that is what it is
    """One file, or a part of it."""
    return sent(call.request, _content(one(call, id), path), path)


@routes.on("GET", _ONE + "/previews/{path}")
def preview(call: Call, id: str, path: str) -> Answer:  # noqa: A002  that is what it is
    """What can be shown of a file: here only of JSON, figures of Plotly's and plain text."""
    execution = one(call, id)
    content, kind = _content(execution, path), _media_type(execution, path)
    about = {"path": path, "media_type": kind, "bytes": len(content), "cut": False}
    about["sha256"] = hashlib.sha256(content).hexdigest()
    shown: Mapping[str, Any] = {"kind": "image" if kind.startswith("image/") else "binary"}
    if kind.endswith("json"):
        value = json.loads(content)
        is_figure = isinstance(value, dict) and isinstance(value.get("data"), list) and "layout" in value
        shown = {"kind": "plotly" if is_figure else "json", "value": value}
    elif kind.startswith("text/") and kind != "text/html":
        shown = {"kind": "text", "text": content.decode(errors="replace")}
    return Answer.of({**about, "text": "", "columns": [], "rows": [], "value": None, **shown})


@routes.on("GET", _ONE + "/outputs.zip")
def zip_of_one(call: Call, id: str) -> Answer:  # noqa: A002  that is what it is
    """All files."""
    execution = one(call, id)
    return zipped(execution.outputs.items(), f"{id}-outputs.zip")


def zipped(files: Iterable[tuple[str, bytes]], name: str) -> Answer:
    """As one archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in files:
            archive.writestr(path, content)
    headers = {"Content-Type": "application/zip", "Content-Disposition": f'attachment; filename="{name}"'}
    return Answer(200, buffer.getvalue(), headers)


def sent(request: Request, content: bytes, path: str) -> Answer:
    """Bytes, or as many of them as are asked for."""
    etag = f'"{hashlib.sha256(content).hexdigest()}"'
    name = quote(path.rpartition("/")[2])
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
        "ETag": etag,
        "Accept-Ranges": "bytes",
    }
    found = _RANGE.fullmatch(request.headers.get("range", ""))
    if not found or request.headers.get("if-range", etag) != etag:
        return Answer(200, content, headers)
    first, last = int(found[1]), min(int(found[2] or len(content)), len(content) - 1)
    if first > last:
        raise Problem(416, "The file has no such part.", headers={"Content-Range": f"bytes */{len(content)}"})
    headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
    return Answer(206, content[first : last + 1], headers)
