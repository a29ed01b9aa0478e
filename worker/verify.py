"""`python -m worker verify`: what must hold of record, engine and data directory, checked on a live system.

It only reads. What looks wrong is looked at once more some seconds later, since a busy system is always about to do
something: told is what was wrong both times.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from app.bootstrap import SchemaOutOfDate, identify
from app.db.engine import is_outage, open_engine, snapshot
from app.observability.logging import configure_logging
from app.settings import Settings, read_settings
from worker import evidence
from worker.batch_evidence import gather_batches
from worker.batch_invariants import BATCH_RULES
from worker.container import INSTANCE_LABEL
from worker.engine.docker import DockerRuntime
from worker.engine.port import ContainerRuntime, EngineError, Inspection
from worker.invariants import RULES, Facts
from worker.workspace import list_workspaces

DAY = 86_400.0
PAGE = 500
# Each may have ten thousand children.
BATCHES = 20
SHOWN = 5
# Sweeps that a reconciler may need until it acts, when its leader has just died.
SWEEPS = 6
WRONG, CANNOT_LOOK = 1, 2


@dataclass
class Finding:
    """What came of one invariant: how much was looked at, and what is wrong with what; or why it was not looked at."""

    looked_at: int = 0
    wrong: dict[str, str] = field(default_factory=dict)
    skipped: str | None = None


Findings = Mapping[str, Finding]


@dataclass(frozen=True, slots=True)
class Verifier:
    """Looks at one installation, from the host of one engine."""

    database: AsyncEngine
    runtime: ContainerRuntime
    settings: Settings
    instance: UUID
    second_look_after: float = 5.0

    @property
    def patience(self) -> float:
        """Seconds until what an attempt left must have been removed, whoever died meanwhile."""
        return self.settings.orphan_after + SWEEPS * self.settings.reconcile_every

    async def verify(self, *, within: float | None) -> Findings:
        """Look at all executions, or at those of the last so many seconds and all active ones; twice if need be."""
        first = await self._look(self._pages(within), within)
        suspects = sorted({UUID(each) for name in RULES for each in first[name].wrong})
        if not any(finding.wrong for finding in first.values()):
            return first
        await asyncio.sleep(self.second_look_after)
        second = await self._look(self._again(suspects), within)
        for name, finding in first.items():
            finding.wrong = {each: why for each, why in second[name].wrong.items() if each in finding.wrong}
        return first

    async def _look(self, pages: AsyncIterator[list[Facts]], within: float | None) -> dict[str, Finding]:
        findings = {name: Finding() for name in RULES}
        async for page in pages:
            for name, rule in RULES.items():
                findings[name].looked_at += len(page)
                findings[name].wrong |= {str(facts.id): "; ".join(whys) for facts in page if (whys := [*rule(facts)])}
        return {
            **findings,
            **await self._look_at_batches(within),
            "counts": await self._look_at_counts(),
            "removals": await self._look_at_removals(),
            **await self._look_at_engine(),
            "workspaces": await self._look_at_workspaces(),
        }

    async def _pages(self, within: float | None) -> AsyncIterator[list[Facts]]:
        """Each as of one moment, so that no snapshot is held for long."""
        last = UUID(int=0)
        if within is not None:
            async with snapshot(self.database) as connection:
                last = await evidence.first_of(connection, within=within)
                old = await evidence.active_before(connection, last)
            async for page in self._again(old):
                yield page
        while True:
            async with snapshot(self.database) as connection:
                executions = await evidence.following(connection, last, most=PAGE)
                page = await evidence.gather(connection, executions)
            if not executions:
                return
            yield page
            last = executions[-1]

    async def _again(self, executions: Sequence[UUID]) -> AsyncIterator[list[Facts]]:
        for start in range(0, len(executions), PAGE):
            async with snapshot(self.database) as connection:
                page = await evidence.gather(connection, executions[start : start + PAGE])
            yield page

    async def _look_at_batches(self, within: float | None) -> dict[str, Finding]:
        findings = {name: Finding() for name in BATCH_RULES}
        last = UUID(int=0)
        while True:
            async with snapshot(self.database) as connection:
                page = await gather_batches(connection, after=last, within=within, most=BATCHES)
            if not page:
                return findings
            for name, rule in BATCH_RULES.items():
                findings[name].looked_at += len(page)
                findings[name].wrong |= {str(facts.id): "; ".join(whys) for facts in page if (whys := [*rule(facts)])}
            last = page[-1].id

    async def _look_at_counts(self) -> Finding:
        async with snapshot(self.database) as connection:
            counts = await evidence.counts(connection)
        wrong = {name: (there, said) for name, (there, said) in counts.items() if there != said}
        whys = {name: f"there are {there}, and {said} are counted" for name, (there, said) in wrong.items()}
        return Finding(looked_at=len(counts), wrong=whys)

    async def _look_at_removals(self) -> Finding:
        async with snapshot(self.database) as connection:
            removals = await evidence.removals(connection)
        late = {prefix: due for prefix, due in removals.items() if due > self.patience}
        wrong = {prefix: f"its files were to go {due:.0f} s ago" for prefix, due in late.items()}
        return Finding(looked_at=len(removals), wrong=wrong)

    async def _look_at_engine(self) -> dict[str, Finding]:
        stray, missing = Finding(), Finding()
        try:
            engine = await self.runtime.identify()
            found = await self.runtime.list_containers({INSTANCE_LABEL: str(self.instance)})
        except EngineError as error:
            stray.skipped = missing.skipped = f"the engine does not answer: {error}"
            return {"containers": stray, "running": missing}
        async with snapshot(self.database) as connection:
            known = await evidence.known_containers(connection, [container.name for container in found])
            running = await evidence.running_on(connection, engine.id)
        stray.looked_at, missing.looked_at = len(found), len(running)
        stray.wrong = dict(self._stray(found, known))
        names = {container.name for container in found}
        missing.wrong = {
            str(execution): f"it runs, but {name} is not on the engine"
            for name, execution in running.items()
            if name not in names
        }
        return {"containers": stray, "running": missing}

    def _stray(
        self, found: Iterable[Inspection], known: Mapping[str, evidence.KnownContainer]
    ) -> Iterable[tuple[str, str]]:
        for container in found:
            record = known.get(container.name)
            if record is None:
                yield container.name, f"it is {container.state}, and no attempt on record has it"
            elif not record.wanted and (record.over_for is None or record.over_for > self.patience):
                yield container.name, f"it is {container.state}, and its attempt is over"

    async def _look_at_workspaces(self) -> Finding:
        if not self.settings.data.is_dir():
            return Finding(skipped=f"there is no {self.settings.data} here")
        found = await asyncio.to_thread(list_workspaces, self.settings.data)
        async with snapshot(self.database) as connection:
            over = await evidence.long_over(connection, found, over_for=self.patience)
        wrong = {f"{execution}/{number}": "its attempt is over" for execution, number in sorted(over)}
        return Finding(looked_at=len(found), wrong=wrong)


def show(findings: Findings) -> str:
    """A line per invariant, and the first few that violate it."""
    lines = []
    for name, finding in findings.items():
        if finding.skipped is not None:
            lines.append(f"{name:<11}skipped  {finding.skipped}")
            continue
        verdict = f"WRONG    {len(finding.wrong)} of" if finding.wrong else "ok      "
        lines.append(f"{name:<11}{verdict} {finding.looked_at}")
        lines += [f"    {each}: {why}" for each, why in list(finding.wrong.items())[:SHOWN]]
        if len(finding.wrong) > SHOWN:
            lines.append(f"    … and {len(finding.wrong) - SHOWN} more")
    return "\n".join(lines)


def as_json(findings: Findings) -> str:
    """The same for programs, with all that is wrong."""
    body: dict[str, Any] = {
        "ok": not any(finding.wrong for finding in findings.values()),
        "invariants": [
            {
                "name": name,
                "looked_at": finding.looked_at,
                "wrong": [{"id": each, "why": why} for each, why in finding.wrong.items()],
                "skipped": finding.skipped,
            }
            for name, finding in findings.items()
        ],
    }
    return orjson.dumps(body, option=orjson.OPT_INDENT_2).decode()


async def _verify(settings: Settings, *, within: float | None) -> Findings:
    async with open_engine(settings.database_url, pool_size=2, application="tailrace-verify") as database:
        instance = await identify(database)
        async with DockerRuntime(settings.docker_host) as runtime:
            return await Verifier(database, runtime, settings, instance).verify(within=within)


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 if everything holds, 1 if something does not, 2 if the record cannot be looked at."""
    parser = argparse.ArgumentParser(prog="python -m worker verify", description=__doc__)
    parser.add_argument("--all", action="store_true", help="all executions, not only the active and those of a day")
    parser.add_argument("--json", action="store_true", help="one JSON object with all that is wrong")
    options = parser.parse_args(arguments)
    settings = read_settings()
    configure_logging(settings.log_format)
    try:
        findings = asyncio.run(_verify(settings, within=None if options.all else DAY))
    except Exception as error:
        if not isinstance(error, SchemaOutOfDate) and not is_outage(error):
            raise
        print(f"The record cannot be looked at: {error}", file=sys.stderr)  # noqa: T201 - a command speaks so
        return CANNOT_LOOK
    print(as_json(findings) if options.json else show(findings))  # noqa: T201 - the same
    return WRONG if any(finding.wrong for finding in findings.values()) else 0
