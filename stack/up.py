"""`make up`: the stack in the foreground, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio

import httpx

from app.settings import Settings
from stack.console import Console
from stack.engine import ensure_engine
from stack.errors import EngineMissing, ImageUnavailable
from stack.images import ensure_images
from stack.interrupts import until_interrupted
from stack.local import Stack, claimed, local_stack
from stack.web import ensure_web


def up(settings: Settings, console: Console) -> None:
    """Run the stack until somebody stops it. Raises what `claimed` and `local_stack` raise."""
    with claimed(settings):
        farewell = _prepare_engine(settings, console)
        ensure_web(settings, console.say)
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
        _introduce(stack, settings, console, login=await _get_login(stack))
        await asyncio.Event().wait()


async def _get_login(stack: Stack) -> str | None:
    """An address that logs a browser in; None if there is none at this moment, which is no reason to stop."""
    async with httpx.AsyncClient(base_url=stack.url, headers={"Authorization": f"Bearer {stack.token}"}) as client:
        try:
            answer = await client.post("/v1/session/tickets")
            answer.raise_for_status()
        except httpx.HTTPError:
            return None
    return str(answer.json()["links"]["login"])


def _introduce(stack: Stack, settings: Settings, console: Console, *, login: str | None) -> None:
    console.say("")
    console.say(f"monitor      {stack.url}")
    console.say(f"reference    {stack.url}/docs")
    if login:
        console.say(f"log in       {login}  (a browser, once, within ten minutes)")
    console.say(f"admin token  {stack.token}  (kept in {settings.data / 'token'})")
    console.say("Ctrl-C stops the stack; containers that run go on, and the next start takes them over")
    console.say("")
