"""Find or fetch the image of an execution."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from app.executions.model import ImagePolicy
from app.executions.states import Cause
from worker.engine.layers import PullProgress
from worker.engine.port import ContainerRuntime, Image, ImageNotFound, ImagePullFailed
from worker.over import Over

# A registry that sends nothing for so long will send nothing any more; a layer that is extracted counts as progress.
STALLS_AFTER = 120.0
LOOK_EVERY = 0.25


async def find(runtime: ContainerRuntime, reference: str, policy: ImagePolicy) -> Image | None:
    """The image as the engine holds it; None when it is to be pulled. Raises `Over`, `EngineError`."""
    image = None if policy is ImagePolicy.ALWAYS else await runtime.find_image(reference)
    if image is None and policy is ImagePolicy.NEVER:
        raise Over(Cause.IMAGE_NOT_FOUND, f"The image {reference} is not on this engine, and `image_policy` is never.")
    return image


async def pull(
    runtime: ContainerRuntime, reference: str, *, within: Callable[[], int], stalls_after: float = STALLS_AFTER
) -> tuple[Image, PullProgress]:
    """Fetch it, and tell what there was to fetch. Raises `Over`, `EngineError`.

    `within` gives the seconds that it may take, as of that moment; and no more than `stalls_after` without progress.
    """
    pulling = asyncio.ensure_future(runtime.pull_image(reference))
    try:
        await _be_patient(runtime, reference, pulling, within, stalls_after)
        loaded = await pulling
    except ImageNotFound as error:
        raise Over(Cause.IMAGE_NOT_FOUND, f"There is no image {reference}: {error}") from error
    except ImagePullFailed as error:
        raise Over(Cause.IMAGE_PULL_FAILED, f"The image {reference} could not be pulled: {error}") from error
    finally:
        pulling.cancel()
        await asyncio.gather(pulling, return_exceptions=True)
    image = await runtime.find_image(reference)
    if image is None:
        raise Over(Cause.IMAGE_NOT_FOUND, f"The image {reference} was pulled, but is not there.")
    return image, loaded


async def _be_patient(
    runtime: ContainerRuntime,
    reference: str,
    pulling: asyncio.Future[PullProgress],
    within: Callable[[], int],
    stalls_after: float,
) -> None:
    """Until it is pulled. Raises `Over` when a clock has run out."""
    began = moved = time.monotonic()
    steps = 0
    while not pulling.done():
        await asyncio.wait({pulling}, timeout=LOOK_EVERY)
        now, progress = time.monotonic(), runtime.pull_progress(reference)
        if progress is not None and progress.steps != steps:
            steps, moved = progress.steps, now
        if pulling.done():
            return
        if now - began >= within():
            message = f"Pulling {reference} took longer than `limits.pull_timeout` of {within()} s."
            raise Over(Cause.PULL_TIMEOUT, message)
        if now - moved >= stalls_after:
            message = f"Pulling {reference} stalled, which counts as `limits.pull_timeout`: no progress of any layer"
            raise Over(Cause.PULL_TIMEOUT, f"{message} for {stalls_after:.0f} s.")
