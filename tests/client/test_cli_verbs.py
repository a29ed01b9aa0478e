"""The verbs in this process, against a whole Tailrace."""

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
import yaml

from support.running import Running
from tailrace import Client
from tailrace.cli.doctor import live
from tailrace.cli.program import execute

Say = Callable[..., tuple[int, str, str]]


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """These of ours, and no other."""
    before = {name: value for name, value in os.environ.items() if name.startswith("TAILRACE_")}
    for name in before:
        del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            os.environ.pop(name, None)
        os.environ.update(before)


@pytest.fixture
def say(tailrace: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Say]:
    """Runs a verb: exit code, stdout, stderr."""
    variables = {
        "TAILRACE_URL": tailrace.url,
        "TAILRACE_TOKEN": tailrace.token,
        "TAILRACE_CONFIG": str(tmp_path / "config.toml"),
    }
    with environment(**variables):

        def run(*arguments: str) -> tuple[int, str, str]:
            code = execute(arguments)
            shown = capsys.readouterr()
            return code, shown.out, shown.err

        yield run


@pytest.fixture
def ok(say: Say) -> Callable[..., str]:
    """Runs a verb that has to succeed; its stdout without the newline."""

    def run(*arguments: str) -> str:
        code, out, err = say(*arguments)
        assert code == 0, (arguments, code, out, err)
        return out.rstrip("\n")

    return run


@pytest.fixture
def read(ok: Callable[..., str]) -> Callable[..., Any]:
    """The same with `-o json`, parsed."""
    return lambda *arguments: json.loads(ok(*arguments, "-o", "json"))


def held(ok: Callable[..., str], *options: str) -> str:
    """Something in the queue that nobody starts."""
    return ok("run", "--detach", "--hold", *options, "busybox:local", "--", "true")


def test_what_waits_is_looked_at_and_steered(ok: Callable[..., str], read: Callable[..., Any], say: Say) -> None:
    mark = f"m{uuid4().hex[:8]}"
    first = held(ok, "--name", "first", "-l", f"mark={mark}")
    second = held(ok, "--name", "second", "-l", f"mark={mark}", "--limit", "timeout=2m")
    assert [item["id"] for item in read("ls", "-l", f"mark={mark}")] == [second, first]
    assert ok("ls", "-l", f"mark={mark}", "-o", "id").splitlines() == [second, first]
    assert [item["id"] for item in read("ls", "-l", f"mark={mark}", "-n", "1")] == [second]
    table = ok("ls", "-l", f"mark={mark}").splitlines()
    assert table[0].split()[:3] == ["ID", "NAME", "STATUS"]
    assert table[1].startswith(f"{second}  second  queued hold")
    assert {first, second} <= {item["id"] for item in read("ps")}

    assert read("show", second)["limits"]["timeout"] == 120
    assert yaml.safe_load(ok("show", second, "-o", "yaml"))["name"] == "second"
    assert "queued hold" in ok("show", second)
    code, _, said = say("wait", second, "--timeout", "1")
    assert (code, said.splitlines()[0]) == (124, "error: second is queued after 1 s.")
    # Ids of one millisecond have more in common than others.
    length = next(n for n in range(13, 37) if second[:n] != first[:n])
    assert read("show", second[:length])["id"] == second
    code, _, err = say("show", "second")
    assert (code, "is no id" in err) == (122, True)

    changed = read("change", first, second, "--priority", "5", "--label", "tier=b", "--unlabel", "mark")
    assert [item["labels"] for item in changed] == [{"tier": "b"}] * 2
    assert read("events", first)[0]["to"] == "queued"
    assert ok("cancel", first, second).splitlines() == [
        f"{each}  canceled canceled_by_user" for each in (first, second)
    ]

    code, out, err = say("pause", first, second, "-o", "id")
    assert (code, out) == (121, "")
    assert err.count("Only what runs can be paused.") == 2

    again = ok("rerun", first, "--set", "hold=true", "-e", "A=1")
    assert read("show", again)["lineage"]["rerun_of"] == first
    assert ok("release", again).startswith(f"{again}  queued")
    assert ok("archive", first, "--keep", "record").startswith(first)
    assert ok("restore", first).startswith(first)
    code, _, err = say("delete", first)
    assert (code, "Say --yes." in err) == (2, True)
    assert ok("delete", "--yes", first, second, "-o", "id").splitlines() == [first, second]
    code, _, err = say("show", first)
    assert (code, err.startswith("error: ")) == (122, True)
    assert "busybox:local" in ok("code", again, "--language", "python")


def test_the_newest_of_mine_is_last(ok: Callable[..., str], read: Callable[..., Any]) -> None:
    newest = held(ok)
    assert read("show", "@last")["id"] == newest
    ok("cancel", "@last")


def test_a_program_is_run_whole(ok: Callable[..., str], say: Say, read: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n")
    script = (
        "cat /tailrace/inputs/rows.csv /tailrace/inputs/d/x; echo $A; echo oops >&2;"
        " mkdir -p /tailrace/outputs/p; echo 1 > /tailrace/outputs/p/one; printf two > /tailrace/outputs/two; exit 7"
    )
    code, out, err = say(
        "run", "busybox:local", "-f", str(tmp_path / "rows.csv"), "-f", f"d/x={tmp_path / 'rows.csv'}", "-e", "A=value",
        "--fetch", str(tmp_path / "out"), "--", "sh", "-c", script,
    )  # fmt: skip
    assert (code, out) == (7, "a,b\na,b\nvalue\n")
    assert err.splitlines()[:2] == ["oops", "failed, exit_nonzero: Exit code 7."]
    assert (tmp_path / "out" / "p" / "one").read_text() == "1\n"

    found = read("ls", "--status", "failed", "-n", "1")[0]["id"]
    assert ok("outputs", "ls", found, "-o", "id").splitlines() == ["p/one", "two"]
    assert ok("outputs", "cat", found, "two") == "two"
    assert ok("outputs", "get", found, "p/*", "--to", str(tmp_path / "some")) == str(tmp_path / "some" / "p" / "one")
    assert ok("outputs", "get", found, "--zip", str(tmp_path / "all.zip")) == str(tmp_path / "all.zip")
    code, _, said = say("outputs", "get", found, "nothing.*", "two", "--to", str(tmp_path))
    assert (code, (tmp_path / "two").read_text()) == (122, "two")
    assert "no output `nothing.*`" in said
    (tmp_path / "file").touch()
    code, _, said = say("outputs", "get", found, "two", "--to", str(tmp_path / "file"))
    assert (code, said.splitlines()[0]) == (2, f"error: {tmp_path / 'file'}: File exists")
    assert (tmp_path / "all.zip").read_bytes().startswith(b"PK")
    assert ok("logs", found, "--grep", "valu") == "value"
    assert ok("logs", found, "--tail", "1", "--stream", "stdout", "--timestamps").endswith("+00:00 value")
    assert [json.loads(line)["text"] for line in ok("logs", found, "--json", "--stream", "stderr").splitlines()] == [
        "oops"
    ]
    code, _, _ = say("wait", found)
    assert code == 7


def test_a_detached_one_is_followed_later(say: Say) -> None:
    code, out, err = say("run", "-d", "busybox:local", "--", "sh", "-c", "echo one; sleep 0.3; echo two; exit 3")
    assert (code, err) == (0, "")
    assert say("logs", "-f", out.strip()) == (0, "one\ntwo\n", "")
    assert say("logs", "-f", "--json", out.strip()) == say("logs", "--json", out.strip())
    code, _, _ = say("wait", out.strip())
    assert code == 3


def test_nothing_is_kept_of_what_is_only_asked(ok: Callable[..., str], say: Say) -> None:
    assert ok("run", "--dry-run", "busybox:local", "--", "true") == "It would be accepted."
    code, _, err = say("run", "--dry-run", "busybox:local", "--limit", "memory=1", "--set", "colour=red")
    assert code == 121
    assert "2 fields are wrong" in err
    assert "colour" in err


def test_many_at_once(ok: Callable[..., str], say: Say, read: Callable[..., Any], tmp_path: Path) -> None:
    script = "echo $INPUT_SEED > /tailrace/outputs/n; [ $INPUT_SEED != 2 ]"
    code, out, err = say(
        "batch", "run", "--image", "busybox:local", "--matrix", "seed=1,2", "--max-parallel", "2", "-o", "json",
        "--", "sh", "-c", script,
    )  # fmt: skip
    batch = json.loads(out)
    failed = read("ls", "--batch", batch["id"], "--status", "failed")[0]["id"]
    assert err.splitlines()[:2] == [
        f"The first that did not succeed, 1: {failed}",
        "failed, exit_nonzero: Exit code 1.",
    ]
    assert f"tailrace logs {failed}" in err
    assert (code, batch["status"], batch["progress"]["by_status"]["failed"]) == (125, "failed", 1)
    assert len(read("ls", "--batch", batch["id"])) == 2
    assert read("batch", "show", batch["id"][:23])["id"] == batch["id"]
    assert batch["id"] in ok("batch", "ls", "-o", "id").splitlines()
    assert [item["needs"] for item in read("batch", "needs", batch["id"])] == [[], []]
    assert ok("batch", "outputs", batch["id"], "--zip", str(tmp_path / "b.zip")) == str(tmp_path / "b.zip")
    again = ok("batch", "rerun", batch["id"])
    code, _, _ = say("batch", "wait", again)
    assert code == 125
    code, _, _ = say("batch", "cancel", again)
    assert code == 121
    for each in (again, batch["id"]):
        assert say("batch", "delete", each, "--yes")[0] == 0


def test_a_method_from_its_file_to_its_end(
    ok: Callable[..., str], say: Say, read: Callable[..., Any], tmp_path: Path
) -> None:
    name = f"m-{uuid4().hex[:8]}"
    file = tmp_path / "method.yaml"
    file.write_text(
        f"name: {name}\nversion: 1.0.0\nimage: busybox:local\ncommand: [sh, -c, 'wc -w < \"$1\"', wc, '{{{{text}}}}']\n"
        "inputs: {type: object, properties: {text: {type: string, format: file}}, required: [text]}\n"
    )
    assert read("method", "import", str(file))["status"] == "draft"
    assert read("method", "publish", f"{name}@1.0.0")["status"] == "published"
    (tmp_path / "words").write_text("one two three")
    assert ok("run", "--method", name, "--input-file", f"text={tmp_path / 'words'}") == "3"
    assert yaml.safe_load(ok("method", "export", name))["version"] == "1.0.0"
    assert json.loads(ok("method", "export", f"{name}@1.0.0", "--json"))["name"] == name
    assert read("method", "draft", name, "1.1.0", "--set", "title=Other")["status"] == "draft"
    assert "title" in ok("method", "diff", name, "1.0.0", "1.1.0")
    assert [item["name"] for item in read("method", "ls", "-q", name)] == [name]
    assert "1.0.0 (published)" in ok("method", "show", name)
    ok("method", "disable", name, "Not now.")
    code, _, err = say("run", "-d", "--method", name, "--input-file", f"text={tmp_path / 'words'}")
    assert (code, "Not now." in err) == (121, True)
    ok("method", "enable", name)
    ok("method", "delete", f"{name}@1.1.0", "--yes")
    assert read("method", "retire", f"{name}@1.0.0")["status"] == "retired"


def test_a_schedule_from_its_making_to_its_end(ok: Callable[..., str], read: Callable[..., Any]) -> None:
    name = f"s-{uuid4().hex[:8]}"
    made = ok(
        "schedule", "create", name, "--cron", "0 0 1 1 *", "--zone", "Europe/Berlin", "--image", "busybox:local",
        "--", "true",
    )  # fmt: skip
    assert read("schedule", "show", name)["id"] == made
    assert read("schedule", "preview", name, "-n", "2")[0]["local"].endswith("+01:00")
    assert read("schedule", "pause", name)["enabled"] is False
    assert read("schedule", "resume", name)["enabled"] is True
    fired = read("schedule", "fire", name)[0]["made"][0]["execution"]
    assert fired in ok("schedule", "runs", name)
    assert ok("ls", "--schedule", name, "-o", "id") == fired
    assert name in ok("schedule", "ls")
    ok("schedule", "delete", name, "--yes")


def test_what_an_operator_needs(ok: Callable[..., str], say: Say, read: Callable[..., Any], tmp_path: Path) -> None:
    pool = f"p-{uuid4().hex[:8]}"
    assert read("pool", "create", pool, "--max-running", "3")["max_running"] == 3
    assert read("pool", "set", pool, "--max-running", "none", "--description", "d")["max_running"] is None
    assert pool in ok("pool", "ls", "-o", "id").splitlines()
    assert read("pool", "show", pool)["description"] == "d"
    ok("pool", "delete", pool, "--yes")

    worker = read("worker", "ls")[0]
    assert read("worker", "pause", worker["id"][:13])["state"] == "paused"
    # As the history of an execution names it.
    assert read("worker", "resume", f"{worker['host']}/{worker['pid']}")["state"] == "active"
    assert worker["host"] in ok("worker", "ls")

    secret = f"k-{uuid4().hex[:8]}"
    (tmp_path / "value").write_text("not a real one")
    ok("secret", "set", secret, "--from", str(tmp_path / "value"))
    assert secret in ok("secret", "ls", "-o", "id").splitlines()
    ok("secret", "delete", secret, "--yes")

    code, token, err = say("token", "create", "for a test", "--scope", "read", "--expires", "1h")
    assert (code, token.startswith("trt_"), "not shown again" in err) == (0, True, True)
    found = next(item for item in read("token", "ls") if item["name"] == "for a test")
    assert "token" not in found
    with environment(TAILRACE_URL=os.environ["TAILRACE_URL"], TAILRACE_TOKEN=token.strip()):
        assert json.loads(ok("request", "GET", "/v1/me"))["scopes"] == ["read"]
        code, _, err = say("run", "-d", "busybox:local")
        assert (code, "hint: " in err) == (121, True)
        assert [item["state"] for item in read("doctor") if item["check"] == "token"] == ["warning"]
    assert read("token", "show", "for a test")["scopes"] == ["read"]
    ok("token", "revoke", found["id"], "--yes", "--descendants")
    with environment(TAILRACE_URL=os.environ["TAILRACE_URL"], TAILRACE_TOKEN=token.strip()):
        code, _, err = say("ls")
        assert (code, "hint: " in err) == (121, True)

    assert read("quota", "set", pool, "--max-running", "4", "--max-storage", "1GiB")["max_storage"] == 2**30
    changed = read("quota", "set", pool, "--max-running", "none")
    assert (changed["max_running"], changed["max_storage"]) == (None, 2**30)
    assert pool in ok("quota", "ls")
    assert "0 B of 1.0 GiB" in ok("quota", "show", pool)
    assert read("quota", "show")["owner"] == "admin"
    assert read("audit", "ls", "--action", "put_quota", "--since", "1h", "-n", "1")[0]["object"] == f"quotas/{pool}"
    assert "put_quota" in ok("audit", "export", "--object", f"quotas/{pool}")
    assert ok("audit", "export", str(tmp_path / "audit.csv"), "--csv", "--object", f"quotas/{pool}")
    assert (tmp_path / "audit.csv").read_text().startswith("id,at,")
    ok("quota", "delete", pool, "--yes")
    assert "for ever" in ok("retention")


def test_who_is_told_what_happens(ok: Callable[..., str], say: Say, read: Callable[..., Any], tmp_path: Path) -> None:
    mark = uuid4().hex[:12]
    url = f"http://93.184.216.34/{mark}"
    code, secret, err = say("webhook", "create", url, "--event", "execution.failed", "-l", "team=a")
    assert (code, secret.startswith("whsec_"), url in err) == (0, True, True)
    found = read("webhook", "show", url)
    assert (found["events"], found["labels"]) == (["execution.failed"], {"team": "a"})
    assert read("webhook", "disable", url)["enabled"] is False
    code, _, err = say("webhook", "ping", url)
    assert code == 121
    assert f"`tailrace webhook set {found['id']} --set enabled=true`" in err
    assert read("webhook", "set", url, "--set", "description=Ours")["description"] == "Ours"
    assert ok("webhook", "rotate", found["id"][:23], "--overlap", "1h").startswith("whsec_")
    ok("webhook", "enable", url)
    ping = read("webhook", "ping", url)
    assert ok("webhook", "deliveries", url, "-o", "id") == ping["id"]
    assert json.loads(ok("webhook", "message", url, ping["id"]))["type"] == "webhook.ping"
    assert read("webhook", "redeliver", url, ping["id"])["id"] == ping["id"]
    assert url in ok("webhook", "ls")
    ok("webhook", "delete", url, "--yes")

    (tmp_path / "to").write_text(f"ntfys://93.184.216.34/{mark}\n")
    made = read(
        "notification", "create", "--to-from", str(tmp_path / "to"), "--alert-after", "3", "--description", mark
    )
    assert (made["channel"], made["alert_after"]) == ("ntfys", 3)
    assert "3 in a row of one name" in ok("notification", "show", mark)
    assert read("notification", "set", mark, "--set", "alert_after=5")["alert_after"] == 5
    ok("notification", "disable", mark)
    assert say("notification", "test", mark)[0] == 121
    ok("notification", "enable", mark)
    assert read("notification", "log", mark) == []
    assert made["id"] in ok("notification", "ls", "-o", "id").splitlines()
    ok("notification", "delete", mark, "--yes")


def test_what_others_post_runs(ok: Callable[..., str], read: Callable[..., Any]) -> None:
    name = f"t-{uuid4().hex[:8]}"
    address = ok(
        "trigger", "create", name, "--image", "busybox:local", "--set", "target.execution.hold=true", "--", "true"
    )
    path = address.removeprefix(os.environ["TAILRACE_URL"])
    made = json.loads(ok("request", "POST", path, "--set", "ref=v2"))["execution"]
    assert read("show", made)["inputs"] == {"ref": "v2"}
    assert made in ok("trigger", "deliveries", name)
    assert read("trigger", "set", name, "--set", "max_per_minute=10")["max_per_minute"] == 10
    assert "10 a minute" in ok("trigger", "show", name)
    assert ok("trigger", "rotate", name) != address
    address, secret = ok("trigger", "rotate", name, "--set", "signature=github").splitlines()
    assert secret not in address
    assert "disabled" in ok("trigger", "disable", name)
    assert name in ok("trigger", "ls")
    ok("trigger", "enable", name)
    ok("trigger", "delete", name, "--yes")
    ok("cancel", made)


def test_files_are_put_and_fetched(ok: Callable[..., str], read: Callable[..., Any], say: Say, tmp_path: Path) -> None:
    name = f"{uuid4().hex[:12]}.csv"
    (tmp_path / name).write_bytes(b"a,b\n\xff\n")
    file = ok("file", "put", str(tmp_path / name), "-l", "team=a")
    assert ok("file", "ls", "--name", name[:8], "-l", "team=a", "-o", "id") == file
    assert read("file", "show", name)["bytes"] == 6
    assert ok("file", "get", name, "--to", str(tmp_path / "copy")) == str(tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"a,b\n\xff\n"
    ok("file", "delete", name, "--yes")
    code, _, err = say("file", "show", file)
    assert (code, "`tailrace file ls`" in err) == (122, True)


def test_what_has_ended_is_taken_along(ok: Callable[..., str], read: Callable[..., Any], tmp_path: Path) -> None:
    ended = held(ok, "--name", "taken along")
    ok("cancel", ended)
    assert read("attempts", ended) == []
    assert read("usage", ended)["execution"] == ended
    assert read("events", ended)[-1]["to"] == "canceled"
    address = ok("share", "create", ended, "--for", "1h", "--note", "look").splitlines()[0]
    assert ended in address
    share = read("share", "ls", ended)[0]
    assert share["note"] == "look"
    ok("share", "delete", ended, share["id"], "--yes")
    assert "revoked" in ok("share", "ls", ended)
    assert ok("bundle", "export", ended, str(tmp_path / "run.zip")) == str(tmp_path / "run.zip")
    ok("delete", ended, "--yes")
    assert ok("bundle", "import", str(tmp_path / "run.zip")) == ended
    assert read("show", ended)["source"] == "import"


def test_a_schedule_and_a_method_are_changed(ok: Callable[..., str], read: Callable[..., Any], tmp_path: Path) -> None:
    name = f"s-{uuid4().hex[:8]}"
    ok("schedule", "create", name, "--every", "1d", "--image", "busybox:local")
    assert read("schedule", "set", name, "--set", "overlap=queue")["overlap"] == "queue"
    ok("schedule", "delete", name, "--yes")
    (tmp_path / "m.yaml").write_text(f"name: {name}\nversion: 1.0.0\nimage: busybox:local\ncommand: ['true']\n")
    ok("method", "import", str(tmp_path / "m.yaml"))
    assert read("method", "set", name, "--set", "max_running=2")["name"] == name
    ok("method", "delete", name, "--yes")


def test_the_doctor_says_what_is_bad_and_what_to_do(say: Say, read: Callable[..., Any], ok: Callable[..., str]) -> None:
    states = {item["check"]: item["state"] for item in read("doctor")}
    assert {"address", "connection", "versions", "database", "Redis", "token", "live", "workers", "queue"} <= set(
        states
    )
    assert "bad" not in states.values()
    assert "✓ database" in ok("doctor")
    with environment(TAILRACE_URL=os.environ["TAILRACE_URL"]):
        code, out, _ = say("doctor")
        assert (code, "tailrace login" in out) == (1, True)
    code, out, _ = say("--url", "http://127.0.0.1:1", "doctor", "-o", "json")
    findings = json.loads(out)
    assert (code, findings[-1]["check"], findings[-1]["state"]) == (1, "connection", "bad")
    assert findings[-1]["advice"]
    code, _, err = say("--url", "http://127.0.0.1:1", "ls")
    told, failed, hint = err.splitlines()
    assert code == 123
    told, _, left = told.partition("; ")
    assert told == "— No connection to http://127.0.0.1:1 (Connection refused)"
    assert re.fullmatch(r"trying again for [1-3] s\.", left)
    assert failed == "error: http://127.0.0.1:1 does not answer: Connection refused"
    assert "tailrace doctor" in hint


def test_the_doctor_looks_who_can_read_the_token(ok: Callable[..., str], read: Callable[..., Any]) -> None:
    config = Path(os.environ["TAILRACE_CONFIG"])
    config.write_text("[default]\ntoken = 'trt_known'\n")
    config.chmod(0o640)
    finding = next(item for item in read("doctor") if item["check"] == "secrecy")
    assert (finding["state"], f"chmod 600 {config}" in finding["advice"]) == ("warning", True)
    config.chmod(0o600)
    assert "secrecy" not in ok("doctor")


def test_the_doctor_finds_a_proxy_that_keeps_websockets_back() -> None:
    """It answers whatever is asked, as nothing that follows can use."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.serve_forever).start()
        try:
            with Client(f"http://127.0.0.1:{server.server_port}", "trt_known") as client:
                finding = live(client)
        finally:
            server.shutdown()
    assert (finding.state, "Upgrade" in (finding.advice or "")) == ("bad", True)


def test_logging_in_keeps_what_was_taken(tailrace: Running, say: Say, ok: Callable[..., str], tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    (tmp_path / "token").write_text(f"{tailrace.token}\n")
    (tmp_path / "wrong").write_text("trt_wrong\n")
    with environment(TAILRACE_CONFIG=str(config)):
        assert say("login", tailrace.url, "--token-from", str(tmp_path / "wrong"))[0] == 121
        assert not config.exists()
        code, _, err = say("login", tailrace.url, "--token-from", str(tmp_path / "token"), "--as", "here")
        assert (code, "You are admin" in err) == (0, True)
        assert tailrace.token not in err
        assert json.loads(ok("--profile", "here", "request", "GET", "/v1/me"))["owner"] == "admin"
        assert say("--profile", "there", "ls")[0] == 2


def test_one_look_at_everything(ok: Callable[..., str]) -> None:
    waits = held(ok, "--name", "seen from above")
    shown = ok("top", "--once")
    assert "seen from above" in shown
    assert waits[:13] in shown
    assert "default" in shown
    assert "queue: " in shown
    ok("cancel", waits)


def test_an_address_for_the_browser_needs_no_token(ok: Callable[..., str], read: Callable[..., Any]) -> None:
    waits = held(ok)
    page, token = ok("open", waits, "--print").split("#")
    assert page == f"{os.environ['TAILRACE_URL']}/shared/{waits}"
    assert token.startswith("trs_")
    address = ok("open", waits, "--print", "--page", "self")
    path = address.removeprefix(os.environ["TAILRACE_URL"])
    with environment(TAILRACE_URL=os.environ["TAILRACE_URL"]):
        assert json.loads(ok("request", "GET", path))["id"] == waits
    ok("cancel", waits)
    ticket = ok("open").removeprefix(f"{os.environ['TAILRACE_URL']}/login#")
    with environment(TAILRACE_URL=os.environ["TAILRACE_URL"], TAILRACE_TOKEN=ticket):
        assert json.loads(ok("request", "POST", "/v1/session"))["owner"] == "admin"
