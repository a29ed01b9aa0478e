"""Who needs whom in a batch, and what cannot be. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.batches.model import MAX_NEEDS
from app.errors import FieldError

Needs = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Link:
    """A child among the others; `where` is its path in the request."""

    where: str
    key: str | None
    needs: Sequence[str]


def check_needs(links: Sequence[Link]) -> list[FieldError]:
    """What is wrong with who needs whom: a key of two, one that nobody has, a ring."""
    owners: dict[str, Link] = {}
    wrong = [
        FieldError(f"{link.where}.key", "same_key", f"is the key of `{owners[link.key].where}` too")
        for link in links
        if link.key is not None and owners.setdefault(link.key, link) is not link
    ]
    wrong += _unknown(links, owners)
    if sum(len(link.needs) for link in links) > MAX_NEEDS:
        wrong.append(FieldError("items", "too_many_needs", f"must have at most {MAX_NEEDS} `needs`, all together"))
    if not wrong and (ring := find_cycle({key: link.needs for key, link in owners.items()})):
        shown = " → ".join(f"`{key}`" for key in ring)
        wrong.append(FieldError(f"{owners[ring[0]].where}.needs", "ring", f"makes a ring: {shown}"))
    return wrong


def _unknown(links: Sequence[Link], owners: Mapping[str, Link]) -> Iterator[FieldError]:
    for link in links:
        for index, need in enumerate(link.needs):
            if need not in owners:
                yield FieldError(f"{link.where}.needs[{index}]", "unknown_key", f"is the key of no child: `{need}`")


def find_cycle(needs: Needs) -> list[str] | None:
    """Keys each of which needs the next one, the last one being the first again; None if there is no such ring.

    Without recursion: a chain may be as long as a batch.
    """
    done: set[str] = set()
    for start in needs:
        path: list[str] = []
        on_path: set[str] = set()
        # What is still to be looked at below each key of the path.
        pending = [[start]]
        while pending:
            if not pending[-1]:
                pending.pop()
                if path:
                    done.add(path[-1])
                    on_path.discard(path.pop())
                continue
            key = pending[-1].pop()
            if key in on_path:
                return [*path[path.index(key) :], key]
            if key not in done:
                path.append(key)
                on_path.add(key)
                pending.append([need for need in needs.get(key, ()) if need not in done])
    return None
