"""For users' own tests: a fake Tailrace in this process, with functions of the test as its programs.

from tailrace.testing import Server

with Server() as server:
    server.program("train:1", lambda job: job.say("loss 0.1"))
    handle = server.client().run("train:1")
    assert [line.text for line in handle.logs(follow=True)] == ["loss 0.1"]

It is a server at a loopback port, not a transport in memory: so logs are followed by the client's own code over a real
WebSocket, and the command line, other processes and other languages can talk to it, too. docs/testing.md has the rest.
"""

from __future__ import annotations

from tailrace.testing.hold import Hold
from tailrace.testing.job import Behaviour, Ends, Job, Stopped
from tailrace.testing.server import Exchange, Server

__all__ = ["Behaviour", "Ends", "Exchange", "Hold", "Job", "Server", "Stopped"]
