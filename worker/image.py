"""Find or fetch the image of an execution."""

from __future__ import annotations

import asyncio

from app.executions.model import ImagePolicy
from app.executions.states import Cause
from worker.engine.layers import PullProgress
from worker.engine.port import ContainerRuntime, Image, ImageNotFound, ImagePullFailed
from worker.over import Over


async def find(runtime: ContainerRuntime, reference: str, policy: ImagePolicy) -> Image | None:
    """The image as the engine holds it; None when it is to be pulled. Raises `Over`, `EngineError`."""
    image = None if policy is ImagePolicy.ALWAYS else await runtime.find_image(reference)
    if image is None and policy is ImagePolicy.NEVER:
        raise Over(Cause.IMAGE_NOT_FOUND, f"The image {reference} is not on this engine, and `image_policy` is never.")
    return image


async def pull(runtime: ContainerRuntime, reference: str, *, within: int) -> tuple[Image, PullProgress]:
    """Fetch it, within so many seconds, and tell what there was to fetch. Raises `Over`, `EngineError`."""
    try:
        async with asyncio.timeout(within):
            loaded = await runtime.pull_image(reference)
    except TimeoutError:
        message = f"Pulling {reference} took longer than `limits.pull_timeout` of {within} s."
        raise Over(Cause.PULL_TIMEOUT, message) from None
    except ImageNotFound as error:
        raise Over(Cause.IMAGE_NOT_FOUND, f"There is no image {reference}: {error}") from error
    except ImagePullFailed as error:
        raise Over(Cause.IMAGE_PULL_FAILED, f"The image {reference} could not be pulled: {error}") from error
    image = await runtime.find_image(reference)
    if image is None:
        raise Over(Cause.IMAGE_NOT_FOUND, f"The image {reference} was pulled, but is not there.")
    return image, loaded
