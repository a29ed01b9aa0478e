"""`make up`: the stack in the foreground, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio

from app.settings import Settings
from stack.console import Console
from stack.engine import ensure_engine
from stack.errors import EngineMissing, ImageUnavailable
from stack.images import ensure_images
from stack.interrupts import until_interrupted
from stack.local import Stack, claimed, local_stack


def up(settings: Settings, console: Console) -> None:
    """Run the stack until somebody stops it. Raises what `claimed` and `local_stack` raise."""
    with claimed(settings):
        farewell = _prepare_engine(settings, console)
        until_interrupted(_serve(settings, console))
        console.say("stopped")
        if farewell:
            console.say(farewell)


def _prepare_engine(settings: Settings, console: Console) -> str | None:
    """An engine with the base images; without it the stack is up all the same, and executions wait for one."""
    try:
        engine = ensure_engine(settings.docker_host, say=console.say)
        ensure_images(engine, say=console.say)
    except (EngineMissing, ImageUnavailable) as error:
        console.say(str(error))
        return None
    return engine.farewell


async def _serve(settings: Settings, console: Console) -> None:
    async with local_stack(settings, console) as stack:
        _introduce(stack, settings, console)
        await asyncio.Event().wait()


def _introduce(stack: Stack, settings: Settings, console: Console) -> None:
    console.say("")
    console.say(f"API          {stack.url}")
    console.say(f"reference    {stack.url}/docs")
    console.say(f"admin token  {stack.token}  (kept in {settings.data / 'token'})")
    console.say("Ctrl-C stops the stack; containers that run go on, and the next start takes them over")
    console.say("")
