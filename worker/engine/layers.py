"""How far a pull is: what the engine says of each layer, added up. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_HELD = "Already exists"
_COMPLETE = "Pull complete"
# All that is said of a layer; what else has an id is the image itself.
_OF_A_LAYER = frozenset(
    {
        "Pulling fs layer",
        "Waiting",
        "Downloading",
        "Verifying Checksum",
        "Download complete",
        "Extracting",
        _COMPLETE,
        _HELD,
    }
)


@dataclass(slots=True)
class _Layer:
    size: int = 0
    loaded: int = 0
    done: bool = False


@dataclass(slots=True, weakref_slot=True)
class PullProgress:
    """Layers of one image, as many as are known by now. Sizes are bytes on the way, that is compressed."""

    _layers: dict[str, _Layer] = field(default_factory=dict)
    _last: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    # How often something was heard of a layer that had not been said of it just before.
    steps: int = 0

    def hear(self, said: Mapping[str, Any]) -> None:
        """One message of the engine."""
        status, id_ = said.get("status"), said.get("id")
        if status not in _OF_A_LAYER or not isinstance(id_, str):
            return
        layer = self._layers.setdefault(id_, _Layer())
        details = said.get("progressDetail") or {}
        if self._last.get(id_) != (news := (status, details.get("current"))):
            self._last[id_], self.steps = news, self.steps + 1
        # While a layer is extracted, the details count what is read of what was loaded.
        layer.size = max(layer.size, details.get("total") or 0)
        if status == "Downloading":
            layer.loaded = max(layer.loaded, details.get("current") or 0)
        elif status not in {"Pulling fs layer", "Waiting"}:
            layer.loaded = max(layer.loaded, layer.size)
        layer.done = layer.done or status in {_COMPLETE, _HELD}

    @property
    def layers(self) -> int:
        """How many there are."""
        return len(self._layers)

    @property
    def done(self) -> int:
        """How many of them are here."""
        return sum(layer.done for layer in self._layers.values())

    @property
    def size(self) -> int:
        """What is to be loaded, as far as the engine has said."""
        return sum(layer.size for layer in self._layers.values())

    @property
    def loaded(self) -> int:
        """What of that has been loaded."""
        return sum(layer.loaded for layer in self._layers.values())
