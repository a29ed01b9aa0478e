"""Every test here breaks something; what it breaks is its own."""

from collections.abc import AsyncIterator

import pytest

from support.starts import Starts, listening


@pytest.fixture(scope="session")
async def starts(images: None) -> AsyncIterator[Starts]:
    """What the engine tells of its containers, from before the first test on."""
    async with listening() as heard:
        yield heard
        heard.check_never_twice()
