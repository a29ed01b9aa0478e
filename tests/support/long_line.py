"""How fast a download comes over a long line: a round trip apart, in network namespaces of their own.

A process of its own: `python -m support.long_line <milliseconds> <mebibytes> <send buffer, or 0 for one that is fixed>`
prints bytes per second. The two ends are TUN devices, and packets wait on the way between them. It needs to be root.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from app.__main__ import open_listener
from app.settings import Settings

NEAR, FAR = "10.231.0.1", "10.231.0.2"
NEW_NETWORK = 0x40000000
TUN_DEVICE = Path("/dev/net/tun")
SET_INTERFACE, TUN_WITHOUT_HEADER = 0x400454CA, 0x1001
PACKET = 2048
PIECE = 65_536
FIXED = 131_072


def is_possible() -> bool:
    """Whether this machine lets us make such a line."""
    return os.geteuid() == 0 and TUN_DEVICE.exists()


def measure(round_trip: float, size: int, send_buffer: int) -> float:
    """Bytes per second of the second half, when the line has found its pace."""
    libc = ctypes.CDLL(None, use_errno=True)
    devices, namespaces = [], []
    for own, other in ((NEAR, FAR), (FAR, NEAR)):
        if libc.unshare(NEW_NETWORK):
            raise OSError(ctypes.get_errno(), "unshare")
        devices.append(_device(own, other))
        namespaces.append(os.open("/proc/self/ns/net", os.O_RDONLY))
    children = [_fork(lambda: _carry(devices[0], devices[1], round_trip / 2))]
    libc.setns(namespaces[0], NEW_NETWORK)
    listener = _listen(send_buffer)
    children.append(_fork(lambda: _serve(listener, size)))
    libc.setns(namespaces[1], NEW_NETWORK)
    try:
        return _download(listener.getsockname(), size)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _device(own: str, other: str) -> int:
    device = os.open(TUN_DEVICE, os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, SET_INTERFACE, struct.pack("16sH14x", b"line", TUN_WITHOUT_HEADER))
    for command in (f"addr add {own} peer {other} dev line", "link set line up mtu 1500 txqueuelen 20000"):
        subprocess.run(["ip", *command.split()], check=True)
    return device


def _fork(act: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        try:
            act()
        finally:
            os._exit(0)
    return child


def _carry(one: int, other: int, delay: float) -> None:
    """Packets in both directions, each so much later."""
    waiting: dict[int, deque[tuple[float, bytes]]] = {one: deque(), other: deque()}
    to = {one: other, other: one}
    while True:
        now = time.monotonic()
        due = [packets[0][0] for packets in waiting.values() if packets]
        readable, _, _ = select.select([one, other], [], [], max(0.0, min(due) - now) if due else 1.0)
        for device in readable:
            with suppress(BlockingIOError):
                for _ in range(64):
                    waiting[to[device]].append((time.monotonic() + delay, os.read(device, PACKET)))
        now = time.monotonic()
        for device, packets in waiting.items():
            while packets and packets[0][0] <= now:
                with suppress(BlockingIOError):  # full: it is lost, as on any line
                    os.write(device, packets.popleft()[1])


def _listen(send_buffer: int) -> socket.socket:
    """The API's own listening socket, or one with a fixed buffer."""
    if send_buffer:
        listener = open_listener(Settings(host=NEAR, port=0, send_buffer=send_buffer))
    else:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, FIXED)
        listener.bind((NEAR, 0))
    listener.listen()
    return listener


def _serve(listener: socket.socket, size: int) -> None:
    connection, _ = listener.accept()
    for _ in range(size // PIECE):
        connection.sendall(bytes(PIECE))
    connection.shutdown(socket.SHUT_WR)
    connection.recv(1)


def _download(address: tuple[str, int], size: int) -> float:
    received, half = 0, 0.0
    with socket.create_connection(address) as connection:
        while data := connection.recv(2**20):
            received += len(data)
            if not half and received > size / 2:
                half, had = time.monotonic(), received
    assert received == size
    return (received - had) / (time.monotonic() - half)


if __name__ == "__main__":
    print(measure(float(sys.argv[1]) / 1000, int(sys.argv[2]) * 2**20, int(sys.argv[3])))  # noqa: T201
