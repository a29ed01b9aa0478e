"""Files on their way into a container."""

import asyncio
import socket
from pathlib import Path
from urllib.parse import urlsplit

from support.eventually import eventually
from support.history import check_history
from support.running import Running

SHOW = """
    set -e
    cd /tailrace/inputs
    find . -type f | sort | xargs sha256sum
    echo x > d/rows.csv || echo read-only
"""


async def test_a_program_finds_its_files_and_so_does_its_rerun(tailrace: Running) -> None:
    content = bytes(range(256)) * 40_000
    large = await tailrace.api.files.upload(content, name="large.bin")
    files = {
        "d/rows.csv": {"text": "a,b\n1,2\n"},
        "d/e/raw": {"base64": "AAECAw=="},
        "large.bin": large,
    }
    first = await tailrace.submit("sh", "-c", SHOW, files=files, user="65534:65534")
    record = await check_history(tailrace, first)
    assert record["status"] == "succeeded", record
    lines = (await tailrace.log_text(first, streams="stdout")).splitlines()
    assert [line.split()[1] for line in lines[:3]] == ["./d/e/raw", "./d/rows.csv", "./large.bin"]
    assert lines[2].split()[0] == large.sha256
    assert lines[3:] == ["read-only"]
    assert "3 input files of" in await tailrace.log_text(first, streams="system")
    again = await (await tailrace.api.get(first)).rerun()
    assert (await again.wait(90)).status == "succeeded"
    assert (await tailrace.log_text(again.id, streams="stdout")).splitlines() == lines


async def test_nothing_is_left_of_a_connection_that_breaks_off(tailrace: Running) -> None:
    """On a real socket: the server stops reading and forgets what came."""
    host, port = urlsplit(tailrace.url).hostname, urlsplit(tailrace.url).port
    head = (
        "POST /v1/files?name=half.bin HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n"
        f"Authorization: Bearer {tailrace.token}\r\n\r\n"
    )
    store = tailrace.data / "artifacts" / "files"
    before = await asyncio.to_thread(_files, store)

    def send_half() -> None:
        with socket.create_connection((host, port)) as connection:
            connection.sendall(head.encode() + b"x" * 25_000_000)

    await asyncio.to_thread(send_half)
    await eventually(lambda: _files(store) == before, within=60)
    assert await tailrace.api.files.list(name="half").all() == []


async def test_a_file_that_is_too_large_is_refused_before_it_is_sent(tailrace: Running) -> None:
    reader, writer = await asyncio.open_connection(urlsplit(tailrace.url).hostname, urlsplit(tailrace.url).port)
    head = (
        f"POST /v1/files?name=a HTTP/1.1\r\nHost: x\r\nContent-Length: {2**60}\r\nExpect: 100-continue\r\n"
        f"Authorization: Bearer {tailrace.token}\r\n\r\n"
    )
    writer.write(head.encode())
    assert b" 413 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


def _files(directory: Path) -> list[str]:
    return sorted(str(path) for path in directory.rglob("*") if path.is_file())


async def test_each_child_of_a_query_for_files_has_its_file(tailrace: Running) -> None:
    for name in ("part-a.txt", "part-b.txt"):
        await tailrace.api.files.upload(name.encode(), name=name)
    body = {
        "defaults": {"image": "busybox:local", "command": ["sh", "-c", 'cat "$INPUT_FILE"']},
        "query": {"files": {"name": "part-"}},
    }
    children = await (await tailrace.api.batch(body)).handles()
    for child, name in zip(children, ("part-a.txt", "part-b.txt"), strict=True):
        assert (await child.wait(90)).status == "succeeded"
        assert await tailrace.log_text(child.id, streams="stdout") == name
