"""The secrets of an execution in the hands of the worker that runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from app.executions.record import Record
from app.executions.states import Cause
from app.secrets import repository
from app.secrets.vault import NoKey, WrongKey
from worker.context import WorkerContext
from worker.masking import Masks
from worker.over import Over

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class Confided:
    """Their values by name, of variables and of files, and what covers them in the log; or the trouble, in words, why
    we do not have them.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    masks: Masks | None = None
    trouble: str | None = None

    def check(self) -> None:
        """Raise `Over` if the program cannot be started for want of them."""
        if self.trouble is not None:
            raise Over(Cause.ENGINE_ERROR, self.trouble)


NOTHING_CONFIDED = Confided()


async def unseal(context: WorkerContext, record: Record) -> Confided:
    """The secrets of this execution."""
    spec = record.spec
    if not spec.confided:
        return NOTHING_CONFIDED
    sealed = await context.read(lambda connection: repository.read(connection, record.id))
    vault = context.process.vault
    try:
        values = {name: vault.open(sealed[name], execution=record.id, name=name) for name in spec.confided}
    except NoKey:
        trouble = "This worker has no key to open its secrets with: TAILRACE_SECRET_KEY is not set."
    except WrongKey as wrong:
        trouble = f"This worker's TAILRACE_SECRET_KEY does not open its secret `{wrong}`."
    except KeyError as missing:
        trouble = f"Its secret {missing} is not there any more."
    else:
        # Large ones take a moment, and other attempts share our loop.
        masks = await asyncio.to_thread(Masks.of, values.values())
        files = {key: values.pop(key) for key in spec.secret_files}
        return Confided(values, files, masks)
    log.error("secrets.not_opened", trouble=trouble)
    return Confided(trouble=trouble)
