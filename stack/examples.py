"""The image of the example programs."""

from __future__ import annotations

import httpx

from stack.images import build_image
from stack.programs import ROOT

IMAGE = "tailrace-examples:local"


def build_examples(client: httpx.Client) -> None:
    """Build it of what is in `examples/` and `python:local`. Raises `ImageUnavailable`."""
    directory = ROOT / "examples"
    files = (path for path in sorted(directory.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    content = {str(path.relative_to(directory)): path.read_bytes() for path in files}
    build_image(client, IMAGE, content, arguments={"BASE": "python:local"})
