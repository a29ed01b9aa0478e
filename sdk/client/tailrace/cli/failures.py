"""Exit codes, and how whatever goes wrong becomes one line with a hint."""

from __future__ import annotations

from typing import Any

from tailrace.cli.routes import in_verbs

# Usage is 2 everywhere. What Tailrace has to say stands just below what `timeout`, `docker run` and shells say, and far
# from what programs use: so the exit code of `run` tells whose it is.
FAILED_HERE = 1
USAGE = 2
REFUSED = 121
NOT_FOUND = 122
UNREACHABLE = 123
OUT_OF_TIME = 124
NOT_RUN = 125
NOT_EXECUTABLE = 126
COMMAND_NOT_FOUND = 127
INTERRUPTED = 130
PIPE_CLOSED = 141

_LOG_IN = "Give a token: `tailrace login`, or TAILRACE_TOKEN in the environment."
_HINTS = {
    403: "`tailrace doctor` shows what your token may do.",
    404: "`tailrace ls --archived any` lists what you may see; what is somebody else's is not found.",
}


class Failure(Exception):
    """Something that ends the command: one line, perhaps a hint, and the exit code."""

    def __init__(self, message: str, *, hint: str | None = None, code: int = REFUSED) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


def usage(message: str, hint: str | None = None) -> Failure:
    """The command line itself is wrong."""
    return Failure(message, hint=hint, code=USAGE)


def failure_of(error: Exception) -> Failure | None:
    """What to say of an error; None if it is a mistake of ours."""
    if isinstance(error, Failure):
        return error
    # Typer's own, of which older versions do not name a class.
    if hasattr(error, "format_message"):
        return _usage_of(error)
    return _of_client(error) or _of_system(error)


def _usage_of(error: Any) -> Failure:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "tailrace"
    hint = f"See `{path} --help`."
    if path.endswith(" run") and type(error).__name__ == "NoSuchOption":
        hint = f"Options of the program come after `--`: {path} IMAGE -- COMMAND …. {hint}"
    return Failure(" ".join(error.format_message().split()), hint=hint, code=error.exit_code)


def _of_client(error: Exception) -> Failure | None:
    # Whoever mistypes an option need not wait until the client is loaded.
    if not any(kind.__module__.startswith("tailrace.") for kind in type(error).__mro__):
        return None
    import tailrace

    if not isinstance(error, tailrace.TailraceError):
        return None
    code = REFUSED
    hint = error.hint
    message = str(error)
    if isinstance(error, tailrace.ConfigError):
        code, hint = USAGE, hint or "`tailrace login` writes a configuration."
    elif isinstance(error, tailrace.ConnectionFailed):
        code = UNREACHABLE
        if not isinstance(error, tailrace.NotTailrace):
            hint = "Does it run there, and is the address right? `tailrace doctor` looks."
    elif isinstance(error, tailrace.WaitTimeout):
        code, hint = OUT_OF_TIME, "It goes on; `tailrace wait` waits again."
    elif isinstance(error, tailrace.ApiError):
        code = NOT_FOUND if isinstance(error, tailrace.NotFound) else REFUSED
        # The API tells clients which header to send.
        message, hint = error.detail, _LOG_IN if error.status == 401 else hint or _HINTS.get(error.status)
    return Failure(message, hint=hint and in_verbs(hint), code=code)


def _of_system(error: Exception) -> Failure | None:
    if isinstance(error, UnicodeDecodeError):
        return Failure(f"What was read is no UTF-8 text: {error}", code=USAGE)
    # What breaks while it is streamed.
    if type(error).__module__.startswith("httpx"):
        return Failure(f"The connection broke off: {str(error) or type(error).__name__}", code=UNREACHABLE)
    if isinstance(
        error, FileNotFoundError | FileExistsError | PermissionError | IsADirectoryError | NotADirectoryError
    ):
        return Failure(f"{error.filename}: {error.strerror}", code=USAGE)
    # The disk is full, say.
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return Failure(f"{where}{error.strerror}", code=FAILED_HERE)
    return None
