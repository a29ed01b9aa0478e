"""`/v1/executions`: what is asked of one, and the list of all."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tailrace.testing.accepting import create, draft, draft_again, key_of, once
from tailrace.testing.execution import Execution, written
from tailrace.testing.listener import Answer
from tailrace.testing.listing import page
from tailrace.testing.owned import ADMIN
from tailrace.testing.problems import Problem, Wrong, invalid
from tailrace.testing.routing import Call, Routes
from tailrace.testing.shapes import Shape, fields, maybe, named, one_of, text, truth, whole
from tailrace.testing.submission import FIELDS, LIMITS, merged, submission

if TYPE_CHECKING:
    from tailrace.testing.world import World

routes = Routes()
_BASE = "/v1/executions"
_CHANGEABLE: dict[str, Shape] = {
    "name": maybe(text(200)),
    "note": maybe(text(4000)),
    "labels": named(text(255), 64, key=text(63, 1)),
    "priority": whole(-100, 100),
    "limits": FIELDS["limits"][0],
}
# Which limits can be changed, beside all of them in the queue.
_CLOCKS = frozenset({"queue_timeout", "pull_timeout", "timeout", "idle_timeout", "warn_before"})


def one(call: Call, execution: str) -> Execution:
    """The execution. Raises `Problem`."""
    return call.world.visible(call.world.executions, execution, call.owner, "execution")


@routes.on("POST", _BASE)
def submit(call: Call) -> Answer:
    """A new one."""
    is_dry, body = call.is_dry(), call.body()
    if is_dry:
        key_of(call)
        return _rehearsed(create(call.world, *draft(call.world, body, call.owner), call.owner))
    return _accepted(
        call, submission(body), lambda: create(call.world, *draft(call.world, body, call.owner), call.owner)
    )


@routes.on("POST", _BASE + "/{id}/rerun")
def rerun(call: Call, id: str) -> Answer:  # noqa: A002  that is what it is
    """The same again."""
    is_dry, patch, original = call.is_dry(), call.body({}), one(call, id)

    def again() -> Execution:
        return create(call.world, *draft_again(call.world, original, patch, call.owner), call.owner, rerun_of=id)

    return _rehearsed(again()) if is_dry else _accepted(call, patch, again)


def _accepted(call: Call, body: Any, make: Callable[[], Execution]) -> Answer:
    execution, replayed = once(call, body, call.world.executions, make)
    if not replayed:
        call.world.add(execution)
    record = execution.record()
    headers = {"Idempotency_Replayed": "true"} if replayed else {}
    return Answer.of(record, 201, Location=record["links"]["self"], **headers)


def _rehearsed(execution: Execution) -> Answer:
    return Answer.of({"accepted": True, "execution": execution.record()})


@routes.on("GET", _BASE)
def list_(call: Call) -> Answer:
    """A page of those that one may see."""
    world = call.world
    if call.owner != ADMIN and not set(call.request.query.get("owner", [])) <= {call.owner}:
        raise invalid([Wrong("owner", "not_yours", "can only be yourself, without the scope `admin`")])
    seen = [each for each in world.executions.values() if each.is_seen_by(call.owner)]
    return Answer.of(page(seen, call.request.query))


@routes.on("GET", _BASE + "/{id}")
def get(call: Call, id: str) -> Answer:  # noqa: A002  that is what it is
    """One, as it is or once it has ended, or has changed."""
    execution = one(call, id)
    ends = time.monotonic() + call.seconds()
    known = call.request.headers.get("if-none-match")

    def is_it() -> bool:
        there = id in call.world.executions and not call.world.closed
        return not there or (execution.ended if known is None else _shown(execution)[1] != known)

    while not is_it() and (left := ends - time.monotonic()) > 0:
        call.world.changed.wait(left)
    one(call, id)
    answer, etag = _shown(execution)
    if etag == known:
        return Answer(304, headers={"ETag": etag, "Cache-Control": "no-cache"})
    return answer


def _shown(execution: Execution) -> tuple[Answer, str]:
    answer = Answer.of(execution.record(alone=True), Cache_Control="no-cache", Tailrace_Status=execution.status)
    etag = f'"{hashlib.blake2b(answer.body, digest_size=16).hexdigest()}"'
    return Answer(answer.status, answer.body, {**answer.headers, "ETag": etag}), etag


@routes.on("GET", _BASE + "/{id}/events")
def events(call: Call, id: str) -> Answer:  # noqa: A002  that is what it is
    """Its history."""
    return Answer.of({"items": one(call, id).events})


@routes.on("GET", _BASE + "/{id}/attempts")
def attempts(call: Call, id: str) -> Answer:  # noqa: A002  that is what it is
    """Its attempts."""
    return Answer.of({"items": one(call, id).attempts})


@routes.on("POST", _BASE + "/{id}/cancel")
def cancel(call: Call, id: str) -> Answer:  # noqa: A002  that is what it is
    """Ask it to stop."""
    how = _options(call, {"force": truth}, {"force": False})
    execution = one(call, id)
    done = execution.ask("cancel")
    if done:
        stop(execution, call.owner, force=how["force"])
    return Answer.of(execution.record(), 202 if done else 200)


def stop(execution: Execution, by: str, *, force: bool = False) -> None:
    """At once where no program runs, else by asking it."""
    is_saved = execution.status == "paused" and execution.pause is not None and execution.pause["mode"] == "checkpoint"
    if execution.status == "queued" or is_saved:
        when = "while it was paused" if is_saved else "before it was started"
        execution.pause = None
        execution.move("canceled", actor=by, cause="canceled_by_user", message=f"Canceled by {by} {when}")
        execution.world.settle(execution)
        return
    if execution.stop is None:
        execution.request_stop("cancel", by)
    execution.forced = execution.forced or force
    execution.world.changed.notify_all()


@routes.on("POST", _BASE + "/{id}/pause")
def pause(call: Call, id: str) -> Answer:  # noqa: A002  that is what it is
    """Let it stand still."""
    how = _options(call, {"mode": maybe(one_of("freeze", "checkpoint"))}, {"mode": None})
    execution = one(call, id)
    now = execution.pause
    mode = how["mode"] or (now["mode"] if now else "checkpoint" if execution.announced else "freeze")
    due = execution.ask(f"pause ({mode})")
    if due and now is None:
        if mode == "checkpoint" and not execution.announced:
            detail = f"Its status is {execution.status}, and its program has not said that it saves checkpoints."
            raise Problem(409, detail, hint='It can be frozen: {"mode": "freeze"}.')
        at = written(execution.now())
        execution.pause = {"mode": mode, "by": call.owner, "requested_at": at, "paused_at": None, "resume_by": None}
        execution.note(call.owner, f"{call.owner} asked to pause ({mode}).")
    elif now is not None and now["mode"] != mode:
        detail = f"Its status is {execution.status}, and a pause ({now['mode']}) was asked for already."
        raise Problem(409, detail, hint="Take that back with POST …/resume, then ask for the other.")
    elif now is not None and now["resume_by"] is not None:
        now["resume_by"] = None
        execution.note(call.owner, f"{call.owner} took the resumption back.")
        due = True
    return Answer.of(execution.record(), 202 if due else 200)


@routes.on("POST", _BASE + "/{id}/resume")
def resume(call: Call, id: str) -> Answer:  # noqa: A002  that is what it is
    """Let it go on."""
    execution = one(call, id)
    due, now = execution.ask("resume"), execution.pause
    if now is not None and now["resume_by"] is None:
        if execution.status == "running":
            execution.pause, due = None, True
            execution.note(call.owner, f"{call.owner} took the pause back.")
        elif now["mode"] == "freeze":
            now["resume_by"] = call.owner
            execution.note(call.owner, f"{call.owner} asked to resume.")
        else:
            execution.pause, execution.queued_at = None, execution.now()
            execution.move("queued", actor=call.owner, message=f"{call.owner} asked to resume.")
            call.world.queue.append(execution)
    return Answer.of(execution.record(), 202 if due else 200)


@routes.on("POST", _BASE + "/{id}/hold")
def hold(call: Call, id: str) -> Answer:  # noqa: A002  that is what it is
    """Keep it in the queue."""
    return _held(call, id, "hold", to=True)


@routes.on("POST", _BASE + "/{id}/release")
def release(call: Call, id: str) -> Answer:  # noqa: A002  that is what it is
    """Let it be started."""
    return _held(call, id, "release", to=False)


def _held(call: Call, name: str, verb: str, *, to: bool) -> Answer:
    execution = one(call, name)
    if execution.ask(verb) and execution.held is not to:
        execution.held = to
        execution.queued_at = execution.queued_at if to else execution.now()
        execution.note(call.owner, f"{'Held' if to else 'Released'} by {call.owner}")
    return Answer.of(execution.record())


_LOOK_AGAIN = "Look at it again, then decide whether to change it."


@routes.on("PATCH", _BASE + "/{id}")
def change(call: Call, id: str) -> Answer:  # noqa: A002  that is what it is
    """Its name, note, labels, priority or limits."""
    execution, patch = one(call, id), call.body()
    if (given := call.request.headers.get("if-match")) not in {None, "*", f'"{execution.revision}"'}:
        raise Problem(412, f"It has been changed: {given} was it before.", hint=_LOOK_AGAIN)
    now = {name: execution.spec[name] for name in _CHANGEABLE}
    wrong: list[Wrong] = []
    wanted = {name: value for name, value in merged(now, patch).items() if value is not None or name not in now}
    defaults = {"name": None, "note": None, "labels": {}, "priority": 0, "limits": LIMITS}
    then = fields(_CHANGEABLE, defaults)(wanted, "", wrong)
    if wrong:
        raise invalid(wrong)
    if "limits" in patch:
        execution.ask("PATCH limits")
    late = _too_late(execution, then)
    if late:
        named_fields = "; ".join(f"`{error.field}` {error.message}" for error in late)
        raise Problem(409, f"It is too late: {named_fields}.", hint="Nothing was changed.", errors=late)
    if then != now:
        execution.spec.update(then)
        execution.note(call.owner, f"Changed by {call.owner}: {', '.join(n for n in now if now[n] != then[n])}")
    return Answer.of(execution.record())


def _too_late(execution: Execution, then: dict[str, Any]) -> list[Wrong]:
    now, queued = execution.spec, execution.status == "queued"
    late = []
    if then["priority"] != now["priority"] and not queued:
        late.append(_late("priority", "only while it is queued", execution))
    for name, value in then["limits"].items():
        if value != now["limits"][name]:
            stops = execution.ended or execution.status == "stopping"
            good = queued or (name in _CLOCKS and not stops) or (name in {"grace", "notice"} and not execution.ended)
            if not good:
                is_clock = name in _CLOCKS | {"grace", "notice"}
                until = "until it is asked to stop" if is_clock else "only while it is queued"
                late.append(_late(f"limits.{name}", until, execution))
    return late


def _late(field: str, until: str, execution: Execution) -> Wrong:
    return Wrong(field, "too_late", f"can be changed {until}: its status is {execution.status}")


@routes.on("POST", _BASE + "/{id}/archive")
def archive(call: Call, id: str) -> Answer:  # noqa: A002  that is what it is
    """Put it aside."""
    keeps = maybe(one_of("all", "outputs", "record"))
    level = _options(call, {"archive": keeps}, {"archive": None})["archive"]
    execution = one(call, id)
    execution.ask("archive")
    level = level or execution.spec["archive"]
    if execution.archived_at is None:
        execution.archived_at = execution.now()
        execution.note(call.owner, f"Archived by {call.owner}")
    gone = {"all": (), "outputs": ("checkpoint", "log"), "record": ("checkpoint", "log", "outputs")}[level]
    for part in gone:
        execution.expired.setdefault(part, execution.now())
    if "outputs" in gone:
        execution.outputs = {}
    if "checkpoint" in gone:
        execution.checkpoint = {}
    return Answer.of(execution.record())


@routes.on("POST", _BASE + "/{id}/restore")
def restore(call: Call, id: str) -> Answer:  # noqa: A002  that is what it is
    """Take it back."""
    execution = one(call, id)
    if execution.ask("restore") and execution.archived_at is not None:
        execution.archived_at = None
        execution.note(call.owner, f"Restored by {call.owner}")
    return Answer.of(execution.record())


@routes.on("DELETE", _BASE + "/{id}")
def delete(call: Call, id: str) -> Answer:  # noqa: A002  that is what it is
    """For good, once it has ended."""
    execution = one(call, id)
    return Answer(204) if deleted(call.world, execution, call.owner) else Answer.of(execution.record(), 202)


def deleted(world: World, execution: Execution, by: str) -> bool:
    """Whether it is gone already; else it is asked to stop, and goes then. Raises `Problem` if others need it."""
    needing = next((each for each in world.executions.values() if each.resumed_from == execution.id), None)
    if needing is not None and not needing.ended:
        detail = f"The execution {needing.id}, which is {needing.status}, needs what it left."
        raise Problem(409, detail, hint="Wait until that has ended, or cancel it.")
    if execution.ended or execution.status == "queued":
        world.remove([execution])
        return True
    execution.delete_requested_at = execution.delete_requested_at or execution.now()
    stop(execution, by)
    return execution.id not in world.executions


def _options(call: Call, shapes: dict[str, Shape], defaults: dict[str, Any]) -> dict[str, Any]:
    """A body that may be left out. Raises `Problem`."""
    wrong: list[Wrong] = []
    how: dict[str, Any] = fields(shapes, defaults)(call.body({}) or {}, "", wrong)
    if wrong:
        raise invalid(wrong)
    return how
