"""One event loop in the background, on which everything that blocks is run.

Every call is written once, as asynchronous code. `blocking(AsyncHandle.cancel)` is the same call for who has no event
loop: with the same signature, the same documentation, and nothing else in between.
"""

from __future__ import annotations

import functools
import inspect
import os
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Concatenate, Generic, TypeVar, cast, overload

from typing_extensions import ParamSpec

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)
P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")

_lock = threading.Lock()
_portal: BlockingPortal | None = None


def portal() -> BlockingPortal:
    """The way to the loop, which is started when it is first needed and ends with the process."""
    global _portal  # noqa: PLW0603  there is one per process, on purpose
    with _lock:
        if _portal is None:
            opened: Future[BlockingPortal] = Future()
            # A daemon: nobody has to say that they are done.
            threading.Thread(target=_serve, args=[opened], name="tailrace", daemon=True).start()
            _portal = opened.result()
        return _portal


def _serve(opened: Future[BlockingPortal]) -> None:
    import anyio
    from anyio.from_thread import BlockingPortal

    async def stay() -> None:
        async with BlockingPortal() as here:
            opened.set_result(here)
            await here.sleep_until_stopped()

    try:
        anyio.run(stay)
    except BaseException as error:  # whoever waits for it has to know
        if not opened.done():
            opened.set_exception(error)
        raise


def _forget() -> None:
    """A process that was forked has no threads but the one that forked it."""
    global _portal, _lock
    _portal, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def run(call: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call it on the loop and wait. An interruption reaches it, too: Ctrl-C ends what is under way at once."""
    future = portal().start_task_soon(functools.partial(call, *args, **kwargs))
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def iterate(source: AsyncGenerator[list[R], None]) -> Iterator[list[R]]:
    """The same items, page by page: one page costs one call, whatever is in it.

    Who stops in the middle drops `source`, and the loop closes what is dropped.
    """
    while True:
        try:
            page = run(source.__anext__)
        except StopAsyncIteration:
            return
        yield page


class Facade(Generic[A_co]):
    """A blocking face of an object that is asynchronous."""

    def __init__(self, aio: A_co) -> None:
        self._aio = aio

    @property
    def aio(self) -> A_co:
        """The asynchronous one behind it."""
        return self._aio


@overload
def blocking(method: Callable[Concatenate[A, P], Awaitable[R]]) -> Callable[Concatenate[Facade[A], P], R]: ...
@overload
def blocking(
    method: Callable[Concatenate[A, P], Awaitable[R]], into: Callable[[R], S]
) -> Callable[Concatenate[Facade[A], P], S]: ...
def blocking(method: Callable[..., Awaitable[Any]], into: Callable[[Any], Any] | None = None) -> Callable[..., Any]:
    """The same method for a `Facade`; `into` makes what it returns a facade, too."""

    @functools.wraps(method)
    def call(self: Facade[Any], /, *args: Any, **kwargs: Any) -> Any:
        result = run(method, self.aio, *args, **kwargs)
        return result if into is None else into(result)

    return cast("Callable[..., Any]", _described(call, method))


def passing(method: Callable[Concatenate[A, P], R], into: Callable[[R], S]) -> Callable[Concatenate[Facade[A], P], S]:
    """The same method for a `Facade`, where it does not wait itself: `into` makes what it returns a facade."""

    @functools.wraps(method)
    def call(self: Facade[A], /, *args: P.args, **kwargs: P.kwargs) -> S:
        return into(method(self.aio, *args, **kwargs))

    return cast("Callable[Concatenate[Facade[A], P], S]", _described(call, method))


def _described(call: Callable[..., Any], method: Callable[..., Any]) -> Any:
    """With the signature of the method, but for what it returns: that is no `Async…`."""
    signature = inspect.signature(method)
    returns = str(signature.return_annotation).replace("Async", "")
    call.__signature__ = signature.replace(return_annotation=returns)  # type: ignore[attr-defined]
    del call.__wrapped__  # type: ignore[attr-defined]
    return call
