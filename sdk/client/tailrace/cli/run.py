"""`tailrace run`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tailrace.cli.failures import INTERRUPTED, usage
from tailrace.cli.following import Interrupts, Lines, exit_code, tell_end
from tailrace.cli.noun import Noun
from tailrace.cli.output import DEFAULT, Format, FormatOption, remark, show_document, write
from tailrace.cli.session import Session, session
from tailrace.cli.submission import submission_options
from tailrace.cli.values import Json

if TYPE_CHECKING:
    from tailrace import Handle

app = Noun()

PROGRAM = ["stdout", "stderr"]

StoryOption = Annotated[
    bool | None,
    typer.Option("--story/--no-story", help="Tailrace's own lines, on stderr; by default if that is a terminal."),
]


@app.verb(
    "run",
    "tailrace run busybox:local -- echo hi",
    "tailrace run python:3.12-slim -e SEED=1 -f data.csv --limit memory=2GiB -- python -c 'print(1)'",
    "tailrace run --method word-count --input-file text=cat.txt -i word=cat",
    "tailrace run --spec train.yaml --set limits.timeout=7200 --detach",
)
@submission_options
def run(
    *,
    image: Annotated[
        str | None, typer.Argument(metavar="IMAGE", help="Such as python:3.12-slim.", show_default=False)
    ] = None,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND", help="The program and its arguments, after `--`.", show_default=False),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Print the id, and leave it to itself.")] = False,
    story: StoryOption = None,
    timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="Each line with its time.")] = False,
    fetch: Annotated[
        Path | None, typer.Option("--fetch", metavar="DIR", help="Its outputs into this directory.")
    ] = None,
    key: Annotated[str | None, typer.Option("--key", help="An idempotency key: the same one never runs twice.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only ask whether it would be accepted.")] = False,
    form: FormatOption = DEFAULT,
    document: Json,
) -> None:
    """Run a program in an image, and show its log until it ends.

    What it writes to stdout comes on stdout, the rest on stderr, and its exit code is passed on. The first Ctrl-C asks
    it to stop, so that it can save its work; the second kills it; the third leaves it alone.
    """
    if image is not None:
        document["image"] = image
    if command:
        document["command"] = command
    if "image" not in document and "method" not in document:
        raise usage(
            "It takes an IMAGE, a --method, or a --spec with one of them.", "tailrace run busybox:local -- echo hi"
        )
    if detach and fetch is not None:
        raise usage("--fetch waits for the end, --detach does not.", "Fetch later: `tailrace outputs get @last`.")
    with session() as api:
        if dry_run:
            _rehearse(api, document, form)
        elif detach:
            handle = api.client.submit(_ready(api, document), idempotency_key=key)
            _tell_submitted(handle, form)
        else:
            raise typer.Exit(_watched(api, document, key=key, story=story, timestamps=timestamps, fetch=fetch))


def _watched(
    api: Session, document: Json, *, key: str | None, story: bool | None, timestamps: bool, fetch: Path | None
) -> int:
    """Submit it, show its log, and return how it ended."""
    tells = sys.stderr.isatty() if story is None else story
    lines = Lines(story=tells, timestamps=timestamps)
    with Interrupts() as interrupts:
        handle = api.client.submit(_ready(api, document), idempotency_key=key)
        interrupts.watch(handle)
        if tells:
            remark(f"— {handle.id}")
        try:
            for line in handle.logs(follow=True, stream=[*PROGRAM, "system"] if tells else PROGRAM):
                lines.write(line)
            record = handle.wait()
        except KeyboardInterrupt:
            remark(f"— Left to itself: {handle.id}")
            return INTERRUPTED
        except Exception:
            # Nobody reads what it writes any more, say.
            remark(f"— Left to itself: {handle.id}")
            raise
    tell_end(record, story=tells)
    if fetch is not None:
        handle.outputs.download(fetch)
    return INTERRUPTED if interrupts.times else exit_code(record)


def _ready(api: Session, document: Json) -> Json:
    """The document with its local files uploaded, and the whole id of what it goes on from."""
    ready = dict(document)
    if isinstance(document.get("resume_from"), str):
        ready["resume_from"] = api.execution(document["resume_from"])
    # What is nothing of the kind is for the API to refuse.
    if isinstance(files := document.get("files"), dict):
        ready["files"] = {
            path: Path(source["upload"]) if _is_here(source) else source for path, source in files.items()
        }
    if isinstance(inputs := document.get("inputs"), dict):
        # A method takes the id itself.
        ready["inputs"] = {
            name: api.client.files.upload(value["upload"]).id if _is_here(value) else value
            for name, value in inputs.items()
        }
    return ready


def _is_here(source: Any) -> bool:
    """Whether it is a local file, as the options mark them."""
    return isinstance(source, dict) and list(source) == ["upload"]


def _rehearse(api: Session, document: Json, form: Format) -> None:
    """Nothing is kept, so nothing is uploaded either: empty files stand for those that would be."""
    if isinstance(files := document.get("files"), dict):
        uploads = {path: {"text": ""} for path, source in files.items() if _is_here(source)}
        document = {**document, "files": {**files, **uploads}}
    answer = api.post("/v1/executions", document, dry_run=True)
    if form is Format.TABLE:
        write("It would be accepted.")
    else:
        show_document(answer, form)


def _tell_submitted(handle: Handle, form: Format) -> None:
    if form in {Format.TABLE, Format.ID}:
        write(handle.id)
    else:
        show_document(dict(handle.record), form)
