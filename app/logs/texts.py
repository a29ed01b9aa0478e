"""Frames as sockets send them: text, of which the bytes are known."""

from __future__ import annotations

from typing import Self
from weakref import WeakValueDictionary

from typing_extensions import override


class FrameText(str):
    """The text of a frame. A server encodes it anew for every socket; this one answers with the bytes it came from."""

    __slots__ = ("__weakref__", "_frame")
    _frame: bytes

    @classmethod
    def of(cls, frame: bytes) -> Self:
        """The text of these bytes, which are UTF-8."""
        text = cls(frame, "utf-8")
        text._frame = frame
        return text

    @override
    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return self._frame if encoding == "utf-8" else super().encode(encoding, errors)


class Texts:
    """Texts that are on their way: of one frame there is one, however many sockets send it or wait to."""

    def __init__(self) -> None:
        # By the identity of the frame, which lives as long as its text does.
        self._texts: WeakValueDictionary[int, FrameText] = WeakValueDictionary()
        # Sockets mostly send the same frame right after each other: it is not to be made for each.
        self._newest = FrameText.of(b"")

    def of(self, frame: bytes) -> FrameText:
        """The text of this very frame."""
        text = self._texts.get(id(frame))
        if text is None:
            text = self._texts[id(frame)] = FrameText.of(frame)
        self._newest = text
        return text
