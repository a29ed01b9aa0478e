"""The program itself: its verbs, which are loaded when they are used, and the way every one of them ends."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any, NamedTuple, cast

import typer
from typer.core import TyperGroup
from typing_extensions import override

from tailrace.cli.failures import INTERRUPTED, PIPE_CLOSED, USAGE, Failure, failure_of
from tailrace.cli.session import CHOSEN, Chosen


class Verb(NamedTuple):
    """Where a verb, or the verbs of a noun, are. The summary is here so that `--help` loads none of them."""

    module: str
    summary: str
    is_noun: bool = False


SECTIONS: dict[str, dict[str, Verb]] = {
    "Run": {
        "run": Verb("run", "Run a program in an image, and show its log until it ends."),
        "rerun": Verb("again", "Run again what has ended, as it was or otherwise."),
        "batch": Verb("batch", "Many executions at once.", is_noun=True),
        "method": Verb("method", "Named and versioned templates.", is_noun=True),
        "schedule": Verb("schedule", "What is submitted again and again.", is_noun=True),
        "trigger": Verb("trigger", "Addresses to which others post, and something runs.", is_noun=True),
        "code": Verb("again", "A program that submits the same."),
    },
    "Look": {
        "ls": Verb("listing", "List executions, newest first."),
        "ps": Verb("listing", "List what has not ended."),
        "top": Verb("top", "What happens, live."),
        "show": Verb("looking", "One execution: how it stands, and why."),
        "events": Verb("happening", "The history of one execution, or what happens to all."),
        "logs": Verb("logs", "The log, whole or live."),
        "wait": Verb("looking", "Wait until executions have ended."),
        "outputs": Verb("outputs", "The files that an execution has left.", is_noun=True),
        "attempts": Verb("measuring", "The containers of an execution."),
        "usage": Verb("measuring", "What an execution uses, or used."),
        "open": Verb("opening", "Show the monitor, or an execution, in the browser."),
    },
    "Steer": {
        "cancel": Verb("steering", "Ask executions to stop."),
        "pause": Verb("steering", "Let executions stand still."),
        "resume": Verb("steering", "Let what is paused go on."),
        "hold": Verb("steering", "Keep what is queued in the queue."),
        "release": Verb("steering", "Let what is held take its turn."),
        "change": Verb("steering", "Change name, note, labels or limits."),
    },
    "Keep": {
        "archive": Verb("keeping", "Put aside what has ended."),
        "restore": Verb("keeping", "Take executions back from the archive."),
        "delete": Verb("keeping", "Delete executions with all that belongs to them."),
        "bundle": Verb("bundle", "An execution as one archive.", is_noun=True),
        "file": Verb("file", "Uploaded files, for submissions.", is_noun=True),
    },
    "Tell others": {
        "share": Verb("share", "Addresses that show one execution to whoever has them.", is_noun=True),
        "webhook": Verb("webhook", "Servers that are told what happens.", is_noun=True),
        "notification": Verb("notification", "Whom to tell, by mail or chat.", is_noun=True),
    },
    "Operate": {
        "worker": Verb("worker", "Who runs executions.", is_noun=True),
        "pool": Verb("pool", "Named groups of workers.", is_noun=True),
        "token": Verb("token", "Who may do what.", is_noun=True),
        "secret": Verb("secret", "Secrets that submissions refer to by name.", is_noun=True),
        "quota": Verb("quota", "What owners use, and how much they may.", is_noun=True),
        "audit": Verb("audit", "Who did what, and what was refused.", is_noun=True),
        "retention": Verb("measuring", "For how long what is kept."),
        "doctor": Verb("doctor", "Look whether all is well, and say what to do."),
        "login": Verb("login", "Keep the address and the token in the configuration file."),
        "request": Verb("asking", "Any other request to the API."),
    },
}
VERBS = {name: verb for verbs in SECTIONS.values() for name, verb in verbs.items()}


class Program(TyperGroup):
    """The verbs by their sections."""

    @override
    def list_commands(self, ctx: Any) -> list[str]:
        """All names."""
        return list(VERBS)

    @override
    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Load a verb."""
        verb = VERBS.get(cmd_name)
        if verb is None:
            return None
        group = cast("TyperGroup", typer.main.get_command(import_module(f"tailrace.cli.{verb.module}").app))
        group.name = cmd_name
        return group if verb.is_noun else group.commands[cmd_name]

    @override
    def invoke(self, ctx: Any) -> Any:
        """Typer has an exit code of its own for a pipe that nobody reads."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise Failure("", code=PIPE_CLOSED) from error

    @override
    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """With a guess at what a mistyped one should be."""
        if args[0] not in VERBS and not args[0].startswith("-") and not ctx.resilient_parsing:
            from difflib import get_close_matches

            meant = get_close_matches(args[0], VERBS, n=1)
            hint = f"Is it `{meant[0]}`?" if meant else "`tailrace --help` lists them."
            raise Failure(f"There is no verb `{args[0]}`.", hint=hint, code=USAGE)
        return super().resolve_command(ctx, args)

    @override
    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """From the table above."""
        for title, verbs in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, verb.summary) for name, verb in verbs.items()])


app = typer.Typer(cls=Program, add_completion=True, rich_markup_mode=None, no_args_is_help=True)


def _tell_version(value: bool) -> None:  # noqa: FBT001  as typer calls it
    if value:
        import tailrace

        typer.echo(f"tailrace {tailrace.__version__}")
        raise typer.Exit


@app.callback(
    epilog="Server and token come from options, TAILRACE_URL and TAILRACE_TOKEN, or `tailrace login`. "
    "Ids may be shortened to their first digits; @last is your newest execution."
)
def tailrace(
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="The address of the API.")] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="A profile of the configuration file.")
    ] = None,
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version.")
    ] = False,
) -> None:
    """Run Docker images on a Tailrace, watch them, and steer them."""
    CHOSEN.set(Chosen(url, profile))


def execute(arguments: Sequence[str]) -> int:
    """Run one command; the exit code."""
    from tailrace.cli.output import forgiving

    forgiving()
    warnings.showwarning = _warn
    # Added once, however often it is.
    logging.getLogger("tailrace").addHandler(_TOLD)
    try:
        code = typer.main.get_command(app).main(list(arguments), prog_name="tailrace", standalone_mode=False)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except typer.Abort:
        return INTERRUPTED
    except BrokenPipeError:
        return _leave_quietly()
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            sys.stderr.write(f"{error}\n")
            return USAGE
        failure = failure_of(error)
        if failure is None:
            raise
        return _tell(failure)
    return code if isinstance(code, int) else 0


def _tell(failure: Failure) -> int:
    from tailrace.cli.output import remark

    if failure.code == PIPE_CLOSED:
        return _leave_quietly()
    with suppress(BrokenPipeError):
        remark(f"error: {' '.join(failure.message.split())}", style="red")
        if failure.hint:
            remark(f"hint: {failure.hint}")
    return failure.code


def _leave_quietly() -> int:
    """Whoever read our output has had enough. What is still buffered has nowhere to go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return PIPE_CLOSED


class _Told(logging.Handler):
    """What the client has to say while it tries again, as a line of ours."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        from tailrace.cli.output import remark

        with suppress(BrokenPipeError):
            remark(f"— {record.getMessage()}", style="yellow")


_TOLD = _Told()


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    from tailrace.cli.output import remark

    remark(f"warning: {message}", style="yellow")
