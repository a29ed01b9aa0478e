"""Many executions at once."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tailrace.testing.execution import Execution, written
from tailrace.testing.owned import Owned
from tailrace.testing.problems import Problem, Wrong, invalid, not_faked
from tailrace.testing.shapes import anything, fields, listed, maybe, named, text, truth, whole
from tailrace.testing.states import MOVES, status_of_batch
from tailrace.testing.submission import merged

if TYPE_CHECKING:
    from tailrace.testing.world import World

MOST = 10_000
_WAYS = ("items", "matrix", "count", "query", "method")
_VALUES = named(listed(anything, MOST))
_FIELDS = {
    "name": maybe(text(200)),
    "note": maybe(text(4000)),
    "labels": named(text(255), 64),
    "defaults": named(anything),
    "items": maybe(listed(named(anything), MOST)),
    "matrix": maybe(fields({"inputs": _VALUES, "env": _VALUES}, {"inputs": {}, "env": {}})),
    "count": maybe(whole(1, MOST)),
    "query": anything,
    "method": anything,
    "profile": anything,
    "inputs": anything,
    "max_parallel": maybe(whole(1, MOST)),
    "fail_fast": truth,
    "webhooks": anything,
}
_DEFAULTS: dict[str, Any] = {**dict.fromkeys(_FIELDS), "labels": {}, "defaults": {}, "fail_fast": False}
_BODY = fields(_FIELDS, _DEFAULTS)


class Batch(Owned):
    """Executions that were submitted together."""

    def __init__(
        self, world: World, batch: str, asked: Mapping[str, Any], owner: str, *, rerun_of: str | None = None
    ) -> None:
        self.world = world
        self.id = batch
        self.asked = asked
        self.owner = owner
        self.rerun_of = rerun_of
        self.children: list[str] = []
        self.let_go: set[str] = set()
        self.size = 0
        self.stop: dict[str, Any] | None = None
        self.created_at = world.now()

    @property
    def alive(self) -> list[Execution]:
        """Its children that are not deleted."""
        return [each for name in self.children if (each := self.world.executions.get(name)) is not None]

    @property
    def is_full(self) -> bool:
        """Whether no more of it may be started for now."""
        most = self.asked["max_parallel"]
        return most is not None and sum(each.id in self.let_go and not each.ended for each in self.alive) >= most

    def look_at(self, child: Execution) -> None:
        """One of its children has ended. The lock is held."""
        failed = child.status in {"failed", "timed_out", "crashed"}
        if failed and self.asked["fail_fast"] and self.stop is None:
            message = f"Child {self.children.index(child.id)} is {child.status}."
            self.cancel("system", force=False, reason="fail_fast", message=message)

    def cancel(self, by: str, *, force: bool, reason: str = "cancel", message: str | None = None) -> None:
        """Stop all of it. The lock is held."""
        if self.stop is None and any(not each.ended for each in self.alive):
            at = written(self.world.now())
            said = message or f"Canceled by {by}."
            self.stop = {"reason": reason, "by": by, "message": said, "requested_at": at}
        for each in self.alive:
            if each.status == "queued":
                cause = "canceled_by_system" if by == "system" else "canceled_by_user"
                each.move("canceled", actor=by, cause=cause, message=f"Canceled by {by} with its batch.")
            elif not each.ended:
                if each.stop is None:
                    each.request_stop("cancel", by)
                each.forced = each.forced or force
        self.world.changed.notify_all()

    def record(self) -> dict[str, Any]:
        """As the API shows it."""
        own = f"/v1/batches/{self.id}"
        alive = self.alive
        statuses = [each.status for each in alive]
        ended = self.size - sum(not each.ended for each in alive)
        times = [each.finished_at for each in alive if each.finished_at is not None]
        same = ("name", "note", "labels", "max_parallel", "fail_fast")
        return {
            "id": self.id,
            **{name: self.asked[name] for name in same},
            "owner": self.owner,
            "status": status_of_batch(statuses),
            "progress": {
                "total": self.size,
                "ended": ended,
                "percent": 100 * ended // self.size,
                "by_status": {status: statuses.count(status) for status in MOVES},
            },
            "stop": self.stop,
            "lineage": {"rerun_of": self.rerun_of},
            "created_at": written(self.created_at),
            "delete_requested_at": None,
            "delete_requested_by": None,
            "finished_at": written(max(times, default=self.created_at)) if ended == self.size else None,
            "links": {
                "self": own,
                "executions": f"/v1/executions?batch={self.id}&archived=any",
                "cancel": f"{own}/cancel",
                "rerun": f"{own}/rerun",
                "outputs": f"{own}/outputs.zip",
            },
        }


def read_batch(body: Any) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    """What is asked for, and the submission of each child with where in the body it is. Raises `Problem`."""
    wrong: list[Wrong] = []
    asked = _BODY(body, "", wrong)
    if wrong:
        raise invalid(wrong)
    given = [way for way in _WAYS if asked[way] is not None]
    if len(given) != 1:
        message = f"must say who its children are in exactly one way, of {', '.join(f'`{way}`' for way in _WAYS)}"
        raise invalid([Wrong(given[-1] if given else "items", "not_one_way", message)])
    if given[0] in {"query", "method"}:
        raise not_faked(f"batches by `{given[0]}`")
    if not (asked["items"] or asked["matrix"] or asked["count"]):
        raise invalid([Wrong("items", "too_short", "must have at least 1 item")])
    return asked, [(where, merged(asked["defaults"], patch)) for where, patch in _patches(asked)]


def _patches(asked: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    if asked["items"] is not None:
        return [(f"items[{index}]", item) for index, item in enumerate(asked["items"])]
    if asked["count"] is not None:
        return [("defaults", {})] * int(asked["count"])
    axes = [(field, name, values) for field, names in asked["matrix"].items() for name, values in names.items()]
    patches = []
    for chosen in itertools.product(*(values for _, _, values in axes)):
        patch: dict[str, dict[str, Any]] = {}
        for (field, name, _), value in zip(axes, chosen, strict=True):
            patch.setdefault(field, {})[name] = value
        patches.append(("matrix", patch))
    return patches


def relocated(problem: Problem, where: str, own: Mapping[str, Any]) -> list[Wrong]:
    """What is wrong with one child, named by where it stands in the batch: with the child, or with the defaults."""
    found = []
    for error in problem.errors:
        top = error.field.partition(".")[0].partition("[")[0]
        place = where if top in own or error.code == "missing" else "defaults"
        found.append(error._replace(field=f"{place}.{error.field}"))
    return found
