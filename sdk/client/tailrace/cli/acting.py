"""The same act on several executions: each is done and told by itself, whatever becomes of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import typer

from tailrace.cli.failures import Failure, failure_of
from tailrace.cli.listing import status_of
from tailrace.cli.output import Format, remark, show_document, write
from tailrace.cli.session import Session, session

Act = Callable[[Session, str], Any]


def on_each(executions: Iterable[str], act: Act, form: Format) -> None:
    """Do it to each. What is refused is told on stderr, and the exit code is that of the first that was."""
    answers: list[Any] = []
    failures: list[Failure] = []

    def tried(text: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as error:
            failure = failure_of(error)
            if failure is None:
                raise
            failures.append(failure)
            remark(f"{text}: {failure.message}", style="red")
            if failure.hint:
                remark(f"hint: {failure.hint}")
            return None

    with session() as api:
        # First who is meant: after a deletion `@last` is another one.
        meant = {text: tried(text, partial(api.execution, text)) for text in dict.fromkeys(executions)}
        for text, execution in meant.items():
            answer = tried(text, partial(act, api, execution)) if execution else None
            if answer is not None:
                answers.append(answer)
                _tell(answer, form)
    if form not in {Format.TABLE, Format.ID}:
        show_document(answers, form)
    if failures:
        raise typer.Exit(failures[0].code)


def _tell(answer: Any, form: Format) -> None:
    if form is Format.ID:
        write(answer["id"])
    elif form is Format.TABLE:
        write(f"{answer['id']}  {status_of(answer) if 'status' in answer else 'deleted'}")


def posted(verb: str, body: Any = None) -> Act:
    """`POST /v1/executions/{id}/{verb}`."""
    return lambda api, execution: api.act(f"/v1/executions/{execution}/{verb}", body)
