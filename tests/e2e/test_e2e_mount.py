"""What a program may do to `/tailrace`, and what hostile ones cannot."""

import asyncio
import json

import pytest

from support.eventually import eventually
from support.history import check_history
from support.programs import the_attempt
from support.running import Json, Running
from support.witness import Witness

USERS = ["0:0", "65534:65534", "12345:54321"]


async def run(tailrace: Running, program: str, **fields: object) -> tuple[Json, list[str]]:
    """The record of a shell program, and what it printed."""
    execution = await tailrace.submit("sh", "-c", program, **fields)
    record = await check_history(tailrace, execution)
    return record, (await tailrace.log_text(execution)).splitlines()


FORBIDDEN = {
    "create": "echo x > /tailrace/new",
    "make a directory": "mkdir /tailrace/new",
    "make a stop file": "echo '{}' > /tailrace/stop",
    "overwrite the inputs": "echo '{}' > /tailrace/inputs.json",
    "delete the inputs": "rm -f /tailrace/inputs.json",
    "rename the inputs": "mv /tailrace/inputs.json /tailrace/outputs/inputs.json",
    "change the mode": "chmod 777 /tailrace/inputs.json",
    "write among the input files": "echo x > /tailrace/inputs/x",
    "change the kit": "echo x > /tailrace/python/tailrace_job.py",
    "delete the events": "rm -f /tailrace/events",
    "rename the outputs": "mv /tailrace/outputs /tailrace/elsewhere",
    "replace the checkpoint": "rmdir /tailrace/checkpoint",
    "put a link in place of the events": "ln -sf /etc/passwd /tailrace/events",
    "mount over it": "mount -t tmpfs none /tailrace/outputs",
    "make it writable": "mount -o remount,rw /tailrace",
}


@pytest.mark.parametrize("user", USERS)
async def test_nothing_but_the_three_open_places_can_be_changed(tailrace: Running, user: str) -> None:
    attempts = "\n".join(f"({attempt}) 2> /dev/null && echo '{name}'" for name, attempt in FORBIDDEN.items())
    program = f"{attempts}\ncat /tailrace/inputs.json; echo; ls -A /tailrace | tr '\\n' ' '"
    record, lines = await run(tailrace, program, user=user, inputs={"a": 1})
    assert record["status"] == "succeeded"
    *content, names = lines
    assert json.loads("".join(content)) == {"a": 1}, "something forbidden was possible"
    assert names.split() == ["checkpoint", "deadline", "events", "inputs", "inputs.json", "outputs", "python"]


@pytest.mark.parametrize("user", USERS)
async def test_the_three_open_places_are_open_to_any_user(tailrace: Running, user: str) -> None:
    program = """
        set -e; id -u
        mkdir /tailrace/outputs/d && echo o > /tailrace/outputs/d/o
        echo c > /tailrace/checkpoint/.c && mv /tailrace/checkpoint/.c /tailrace/checkpoint/c
        echo '{"result": 7}' >> /tailrace/events
    """
    record, lines = await run(tailrace, program, user=user)
    assert (record["status"], lines) == ("succeeded", [user.split(":", maxsplit=1)[0]])
    assert record["result"] == 7
    assert record["outputs"] == {"files": 1, "bytes": 2, "partial": False, "expired_at": None}


async def test_the_container_has_no_privileges(tailrace: Running) -> None:
    program = """
        grep -E '^(CapEff|CapPrm|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\t'
        ls /sys/class/net; id -u; ls /var/run/docker.sock 2> /dev/null; head -c 1 /dev/sda 2> /dev/null
        (mknod /dev/mine b 8 0) 2> /dev/null && echo device
        (echo x > /proc/sysrq-trigger) 2> /dev/null && echo sysrq
        (chown 1 /tmp) 2> /dev/null && echo owner
        exit 0
    """
    _, lines = await run(tailrace, program)
    none = "0" * 16
    assert lines == [f"CapPrm:{none}", f"CapEff:{none}", f"CapBnd:{none}", "NoNewPrivs:1", "Seccomp:2", "lo", "0"]


async def test_an_init_process_adopts_and_reaps_orphans(tailrace: Running) -> None:
    program = """
        for i in 1 2 3; do (sleep 0.1 &) ; done
        while [ "$(ps -o comm | grep -c sleep)" != 0 ]; do :; done
        ps -o pid,comm | awk '$1 == 1 {print $2}'
    """
    record, lines = await run(tailrace, program)
    assert (record["status"], lines) == ("succeeded", ["docker-init"])


async def test_a_program_that_ends_takes_its_background_processes_along(tailrace: Running, witness: Witness) -> None:
    program = "(trap '' HUP TERM; while :; do sleep 1; echo still here; done) & echo done"
    execution = await tailrace.submit("sh", "-c", program)
    record = await check_history(tailrace, execution)
    assert record["status"] == "succeeded"
    assert await witness.alive(execution) == []
    assert await tailrace.log_text(execution) == "done\n"


# name → how a program would make us read or follow something that is not its own
TRAPS = {
    "a link to a file of the host": "ln -s /etc/passwd trap",
    "a link to a directory": "ln -s /etc trap",
    "a link to another file of its own": "echo x > ../checkpoint/mine; ln -s ../checkpoint/mine trap",
    "a dangling link": "ln -s nowhere trap",
    "a FIFO": "mkfifo trap",
    "a socket": "(nc -l -U trap > /dev/null 2>&1 &) ; mkfifo trap 2> /dev/null; true",
    "a hard link": "echo x > trap && ln trap trap2",
    "a file that it swapped for a link": "echo x > trap; cat trap; rm trap; ln -s /etc/passwd trap",
    "a directory that it swapped for a link": "mkdir trap; echo x > trap/x; rm -r trap; ln -s /etc trap",
    "a name that no terminal should see": "echo x > \"$(printf 'trap\\033[2J')\"",
    "a name that is no text": "echo x > \"$(printf 'trap\\377')\"",
    "a name with a line break": "echo x > \"$(printf 'trap\\nfile')\"",
    "a huge sparse file": "truncate -s 5G trap",
    "a file that it cannot read itself": "mkdir trap; echo x > trap/x; chmod 000 trap; ln -s x trap3",
}


@pytest.mark.parametrize("place", ["outputs", "checkpoint"])
async def test_a_hostile_tree_is_left_out_and_the_rest_is_kept(tailrace: Running, place: str) -> None:
    traps = "\n".join(
        f"(mkdir {index} && cd {index} && {trap})" for index, trap in enumerate(TRAPS.values()) if "sparse" not in trap
    )
    program = f"cd /tailrace/{place}; echo good > good\n{traps}\nls -R; exit 0"
    record, _ = await run(tailrace, program, user="65534:65534")
    assert (record["status"], record["exit_code"]) == ("succeeded", 0)
    warnings = json.dumps(record["warnings"])
    assert "links, devices, sockets and FIFOs" in warnings
    assert "hard links" in warnings
    if place == "outputs":
        files = await tailrace.outputs(record["id"])
        assert {"good"} <= {file["path"] for file in files}
        assert not [file for file in files if file["path"].endswith("trap") and file["bytes"] > 10]
        contents = [await tailrace.output(str(record["id"]), file["path"]) for file in files]
        assert not any(b"root:" in content for content in contents)
    else:
        assert (await the_attempt(tailrace, str(record["id"])))["checkpoint_files"] == 0


@pytest.fixture(scope="module")
async def trappers(tailrace: Running) -> dict[str, str]:
    """All of them at once, so that each test only waits for the end of its own."""
    programs = [f"cd /tailrace/outputs; echo good > good; {trap}; exit 0" for trap in TRAPS.values()]
    limits = {"output_bytes": "1MiB"}
    ids = await asyncio.gather(*(tailrace.submit("sh", "-c", program, limits=limits) for program in programs))
    return dict(zip(TRAPS, ids, strict=True))


@pytest.mark.parametrize("name", TRAPS)
async def test_a_trap_among_the_outputs_is_never_followed(
    tailrace: Running, trappers: dict[str, str], name: str
) -> None:
    record = await check_history(tailrace, trappers[name])
    assert record["status"] == "succeeded"
    files = await tailrace.outputs(record["id"])
    kept = {file["path"]: await tailrace.output(str(record["id"]), file["path"]) for file in files}
    own = {"good": b"good\n", "trap/x": b"x\n"}
    assert kept.items() <= own.items()
    assert kept["good"] == b"good\n"
    assert record["warnings"]
    assert record["outputs"]["partial"] is True


async def test_a_tree_that_is_too_deep_or_too_wide_ends_truthfully(tailrace: Running) -> None:
    program = """
        cd /tailrace/outputs; echo good > good
        for i in $(seq 60); do mkdir d && cd d; done; echo deep > deep
        cd /tailrace/outputs; mkdir wide; cd wide; i=0; while [ $i -lt 3000 ]; do : > $i; i=$((i+1)); done
    """
    record, _ = await run(tailrace, program, limits={"output_files": 100})
    assert record["status"] == "succeeded"
    assert record["outputs"]["partial"] is True
    assert record["outputs"]["files"] <= 100


async def test_the_environment_is_what_was_asked_for(tailrace: Running) -> None:
    env = {"A": "1", "EMPTY": "", "SPACED": " x  y ", "QUOTED": "'\"$HOME `id`", "LINES": "a\nb", "UNICODE": "äß→😀"}
    program = "import json, os; print(json.dumps(dict(os.environ)))"
    execution = await tailrace.submit("python3", "-c", program, image="python:local", env=env, inputs={"Rows": 5})
    record = await check_history(tailrace, execution)
    seen = json.loads(await tailrace.log_text(execution))
    assert {name: seen[name] for name in env} == env
    assert seen["INPUT_ROWS"] == "5"
    assert seen["TAILRACE_DIR"] == "/tailrace"
    assert seen["TAILRACE_EXECUTION_ID"] == execution
    assert seen["TAILRACE_ATTEMPT"] == "1"
    assert seen["TAILRACE_DEADLINE"].isdigit()
    assert seen["PYTHONPATH"].split(":")[-1] == "/tailrace/python"
    assert record["env"] == sorted(env)
    # Nothing of ours, and above all no address of a server, gets in.
    assert not [name for name in seen if "DATABASE" in name or "REDIS" in name or "TOKEN" in name]


async def test_command_entrypoint_workdir_and_user_are_what_was_asked_for(tailrace: Running) -> None:
    execution = await tailrace.submit(
        "-c",
        'pwd; id -u; id -g; echo "$0" "$@"',
        "zero",
        "a b",
        "",
        "$x",
        entrypoint=["sh"],
        workdir="/proc",
        user="5:6",
    )
    await check_history(tailrace, execution)
    assert await tailrace.log_text(execution) == "/proc\n5\n6\nzero a b  $x\n"


async def test_what_is_mounted_is_open_only_through_the_container(tailrace: Running) -> None:
    execution = await tailrace.submit("sleep", "600")
    await tailrace.reaches(execution, "running")
    workspace = tailrace.data / "work" / execution / "1"
    assert (workspace / "outputs").stat().st_mode & 0o777 == 0o777
    for closed in (workspace, tailrace.data / "artifacts"):
        assert closed.stat().st_mode & 0o077 == 0, closed
    await tailrace.cancel(execution, force=True)
    await check_history(tailrace, execution)
    await eventually(lambda: not workspace.parent.exists())
