"""What an execution left, for who has no event loop."""

from __future__ import annotations

from tailrace._aio.outputs import AsyncOutputs
from tailrace._pages import Pages
from tailrace._portal import Facade, blocking, passing


class Outputs(Facade[AsyncOutputs]):
    """The files that a program left in `/tailrace/outputs`."""

    list = passing(AsyncOutputs.list, Pages)
    read = blocking(AsyncOutputs.read)
    text = blocking(AsyncOutputs.text)
    download = blocking(AsyncOutputs.download)
    preview = blocking(AsyncOutputs.preview)
    zip = blocking(AsyncOutputs.zip)
