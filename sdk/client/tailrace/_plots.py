"""Pictures among the outputs, which notebooks show by themselves."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PLOTLY = "application/vnd.plotly.v1+json"


@dataclass(frozen=True)
class Plot:
    """A picture, or a figure of Plotly's: data only, and nothing of it is ever run here.

    At the end of a cell of a notebook it is shown.
    """

    path: str
    """Below the outputs."""
    kind: str
    """`image` or `plotly`."""
    media_type: str
    """Such as `image/png`."""
    content: bytes = field(repr=False)
    """The file."""
    figure: Mapping[str, Any] | None = field(default=None, repr=False)
    """What Plotly takes: `plotly.graph_objects.Figure(plot.figure)`."""

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file as the program left it."""
        target = Path(path)
        target.write_bytes(self.content)
        return target

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """What a notebook shows: an image as one, a figure as such."""
        if self.figure is not None:
            return {PLOTLY: dict(self.figure), "text/plain": repr(self)}
        encoded = base64.b64encode(self.content).decode()
        # An SVG could hold scripts; within an `<img>` they do not run.
        return {
            "text/html": f'<img alt="" src="data:{_plain(self.media_type)};base64,{encoded}">',
            "text/plain": repr(self),
        }


def _plain(media_type: str) -> str:
    """A media type that closes no quotes."""
    return "".join(letter for letter in media_type.partition(";")[0] if letter.isalnum() or letter in "/+.-")
