"""What can go wrong while the stack is set up, in words for the person at the terminal."""

from __future__ import annotations


class StackError(Exception):
    """The stack cannot go on; the message says why and what to do about it."""


class ServerFailed(StackError):
    """An embedded server did not start; the message ends with what it logged."""


class EngineMissing(StackError):
    """There is no container engine that we may use, and we cannot install or start one."""


class ImageUnavailable(StackError):
    """A base image could be neither pulled nor built."""


class StackRunning(StackError):
    """Another stack holds this data directory; `pid` is its process."""

    def __init__(self, message: str, pid: int) -> None:
        super().__init__(message)
        self.pid = pid
