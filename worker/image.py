"""Find or fetch the image of an execution."""

from __future__ import annotations

import asyncio

from app.executions.model import ImagePolicy
from app.executions.states import Cause
from worker.engine.port import ContainerRuntime, Image, ImageNotFound, ImagePullFailed
from worker.over import Over


async def obtain(runtime: ContainerRuntime, reference: str, policy: ImagePolicy, *, pull_within: int) -> Image:
    """The image as held by the engine, pulled if policy says so. Raises `Over`, `EngineUnreachable`."""
    image = None if policy is ImagePolicy.ALWAYS else await runtime.find_image(reference)
    if image is not None:
        return image
    if policy is ImagePolicy.NEVER:
        raise Over(Cause.IMAGE_NOT_FOUND, f"The image {reference} is not on this engine, and `image_policy` is never.")
    try:
        async with asyncio.timeout(pull_within):
            await runtime.pull_image(reference)
    except TimeoutError:
        raise Over(
            Cause.PULL_TIMEOUT, f"Pulling {reference} took longer than `limits.pull_timeout` of {pull_within} s."
        ) from None
    except ImageNotFound as error:
        raise Over(Cause.IMAGE_NOT_FOUND, f"There is no image {reference}: {error}") from error
    except ImagePullFailed as error:
        raise Over(Cause.IMAGE_PULL_FAILED, f"The image {reference} could not be pulled: {error}") from error
    image = await runtime.find_image(reference)
    if image is None:
        raise Over(Cause.IMAGE_NOT_FOUND, f"The image {reference} was pulled, but is not there.")
    return image
