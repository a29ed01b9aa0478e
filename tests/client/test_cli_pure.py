"""The command line without a server: what it loads, what options mean, what it makes of an end."""

import io
import json
import os
import re
import stat
import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from app.errors import FieldError
from app.executions.model import Limits
from app.executions.requests import Submission
from app.executions.states import ACTIVE, STATUS_OF
from app.explaining import hint_of
from support.verbs import commands
from tailrace import Happening
from tailrace.cli import values
from tailrace.cli.doctor import versions
from tailrace.cli.failures import Failure
from tailrace.cli.following import exit_code
from tailrace.cli.happening import told
from tailrace.cli.login import keep
from tailrace.cli.output import Format, show_document, show_list
from tailrace.cli.program import execute
from tailrace.cli.routes import in_verbs
from tailrace.cli.shown import lasting, plain, short, size, spelled
from tailrace.cli.submission import FIELDS, document
from tailrace.cli.top import bars, counted, queue_line

REPOSITORY = Path(__file__).resolve().parents[2]


def test_every_verb_has_help_with_an_example_of_itself() -> None:
    for name, command in commands().items():
        assert command.help, name
        assert f"tailrace {name}" in command.epilog, name
        for parameter in command.params:
            assert parameter.help, f"{name} {parameter.name}"


def test_the_table_of_verbs_in_the_documents_is_that_of_the_program() -> None:
    page = (REPOSITORY / "docs" / "cli.md").read_text()
    rows = [line.split("|")[1] for line in page.split("## All verbs")[1].split("\n## ")[0].splitlines() if "`" in line]
    documented = {name for row in rows for name in row.replace("`", "").replace("tailrace", "").split(",")}
    assert {name.strip() for name in documented} == set(commands())


def test_help_loads_neither_the_client_nor_a_verb() -> None:
    program = (
        "import sys; from tailrace.cli.program import execute; execute(['--help']);"
        "print([name for name in ('httpx', 'rich', 'yaml', 'tailrace.cli.run') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout.splitlines()[-1] == "[]"
    assert "Run a program in an image" in answer.stdout


def test_every_field_of_a_submission_and_no_other_has_an_option() -> None:
    assert {field.name for field in FIELDS} | {"image", "command"} == set(Submission.model_fields)
    clocks = {name for name in Limits.model_fields if name in values.CLOCKS}
    assert clocks == set(values.CLOCKS)


def test_options_lie_over_the_document_and_settings_over_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "from here")
    (tmp_path / "key").write_text("s3cret\n")
    (tmp_path / "env").write_text("# a comment\nA=0\nMINE\n")
    spec = tmp_path / "spec.yaml"
    spec.write_text("image: busybox:local\nname: first\nlimits: {timeout: 5, memory: 64MiB}\nlabels: {team: a}\n")
    said = {
        "name": "second",
        "label": ["tier=b", "bare"],
        "env_file": [str(tmp_path / "env")],
        "env": ["A=1", "B=x=y"],
        "input": ["rows=100", "word=no", 'text="100"', "list=[1, 2]"],
        "limit": ["timeout=2h", "cpus=0.5"],
        "secret": [f"KEY=@{tmp_path / 'key'}"],
        "named_secret": ["HUB=hub-token", "DB=db:env"],
        "retry_on": ["host_lost,75"],
        "exit_code": ["3=success"],
        "output": ["report.html", "log.txt,required=false,title=Log"],
        "setup": "pip list",
        "webhook": ["https://example.com/done"],
        "entrypoint": "sh -c",
        "hold": True,
    }
    assert document(said, spec=str(spec), changes=["limits.pids=32", "note=a b"]) == {
        "image": "busybox:local",
        "name": "second",
        "note": "a b",
        "labels": {"team": "a", "tier": "b", "bare": ""},
        "env": {"A": "1", "MINE": "from here", "B": "x=y"},
        "inputs": {"rows": 100, "word": "no", "text": "100", "list": [1, 2]},
        "limits": {"timeout": 7200, "memory": "64MiB", "cpus": 0.5, "pids": 32},
        "secrets": {"KEY": "s3cret"},
        "named_secrets": {"HUB": {"name": "hub-token"}, "DB": {"name": "db", "via": "env"}},
        "retry_on": ["host_lost", 75],
        "exit_codes": {"3": "success"},
        "outputs": [{"path": "report.html"}, {"path": "log.txt", "required": False, "title": "Log"}],
        "setup": {"command": ["sh", "-c", "pip list"]},
        "webhooks": [{"url": "https://example.com/done"}],
        "entrypoint": ["sh", "-c"],
        "hold": True,
    }


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("2h30m", 9000), ("1.5d", 129600), ("0", 0)]
)
def test_durations(text: str, seconds: int) -> None:
    assert values.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-1", "1w", "10 m", "1h-"])
def test_what_is_no_duration_is_said_to_be_none(text: str) -> None:
    with pytest.raises(Failure, match="no duration") as refused:
        values.seconds(text)
    assert refused.value.code == 2


def test_so_long_ago_is_a_time() -> None:
    then = datetime.fromisoformat(values.moment("1h30m"))
    ago = datetime.now(UTC) - then
    assert timedelta(hours=1, minutes=30) <= ago < timedelta(hours=2)
    assert values.moment("2026-11-01T00:00:00Z") == "2026-11-01T00:00:00Z"


def test_a_clock_that_is_no_duration_is_refused_here() -> None:
    assert values.limit("timeout=2m") == ("timeout", 120)
    assert values.limit("queue_timeout=null") == ("queue_timeout", None)
    assert values.limit("memory=2m") == ("memory", "2m")
    with pytest.raises(Failure, match="`1x` is no duration"):
        values.limit("timeout=1x")


def test_where_input_files_come_from(tmp_path: Path) -> None:
    here = tmp_path / "a=b.csv"
    here.touch()
    assert values.source_of(f"data/x.csv={here}") == ("data/x.csv", {"upload": str(here)})
    assert values.source_of("https://example.com/rows.csv?a=1") == (
        "rows.csv",
        {"url": "https://example.com/rows.csv?a=1"},
    )
    assert values.source_of("x=id:01a1") == ("x", {"id": "01a1"})
    with pytest.raises(Failure, match="no file here"):
        values.source_of("nowhere.csv")


def test_every_end_has_an_exit_code_that_says_which_it_was() -> None:
    for cause, status in STATUS_OF.items():
        code = exit_code({"status": str(status), "cause": str(cause), "exit_code": None})
        assert (code == 0) == (status == "succeeded"), cause
    ends = {
        ("succeeded", "ok", 0): 0,
        ("succeeded", "ok", 3): 0,
        ("failed", "exit_nonzero", 7): 7,
        ("failed", "oom_killed", 137): 137,
        ("failed", "output_missing", 0): 1,
        ("failed", "command_not_found", 127): 127,
        ("failed", "command_not_executable", 126): 126,
        ("failed", "image_not_found", None): 125,
        ("timed_out", "run_timeout", 143): 124,
        ("canceled", "canceled_by_user", 85): 130,
        ("canceled", "self_canceled", 86): 86,
        ("crashed", "host_lost", None): 125,
        ("evaporated", "by_the_future", 5): 125,
    }
    for (status, cause_name, code), expected in ends.items():
        assert exit_code({"status": status, "cause": cause_name, "exit_code": code}) == expected


def test_a_mistake_is_one_line_with_a_hint_and_the_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    mistakes = {
        ("nope",): "There is no verb `nope`",
        ("cancle", "x"): "Is it `cancel`?",
        ("run",): "It takes an IMAGE",
        ("run", "busybox", "ls", "-q"): "come after `--`",
        ("run", "busybox", "--limit", "memory"): "--limit takes KEY=VALUE",
        ("run", "--spec", "/nowhere.yaml"): "/nowhere.yaml: No such file",
        ("logs",): "Missing argument",
        ("logs", "x", "--stream", "in"): "There are stdout, stderr, system",
        ("top", "--every", "soon"): "Invalid value",
    }
    for arguments, said in mistakes.items():
        assert execute(arguments) == 2, arguments
        shown = capsys.readouterr()
        assert shown.out == ""
        assert said in shown.err, shown.err
        assert len(shown.err.splitlines()) <= 2, shown.err
        assert shown.err.startswith("error: ")


def test_a_noun_without_a_verb_is_answered_with_its_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, verb in {(): "doctor", ("worker",): "drain"}.items():
        assert execute(arguments) == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.startswith("Usage: tailrace")
        assert verb in shown.err


def test_the_configuration_file_keeps_its_other_tables_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    keep(path, "default", url="https://one.example.com", token="trt_1")
    path.write_text("# mine\n[staging]\nurl = 'https://two.example.com'\n\n" + path.read_text())
    path.chmod(0o644)
    keep(path, "default", url="https://three.example.com", token='trt_"3"')
    keep(path, "staging", url="https://four.example.com", token="trt_4")
    assert tomllib.loads(path.read_text()) == {
        "default": {"url": "https://three.example.com", "token": 'trt_"3"'},
        "staging": {"url": "https://four.example.com", "token": "trt_4"},
    }
    assert "# mine" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["config.toml"]  # noqa: PTH208  names are the point


def test_nothing_that_a_terminal_obeys_gets_into_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    name = "a\x1b]0;title\x07\x9b31m\nb"
    show_list(
        [{"id": "1", "name": name}],
        {"ID": lambda item: item["id"], "NAME": lambda item: plain(item["name"])},
        Format.TABLE,
    )
    show_document({"name": name}, Format.JSON)
    shown = capsys.readouterr().out
    assert not set(shown) & {"\x1b", "\x07", "\x9b"}
    assert json.loads(shown.split("\n", 2)[2]) == {"name": name}


def test_a_field_that_a_server_does_not_tell_is_an_empty_cell(capsys: pytest.CaptureFixture[str]) -> None:
    show_list([{"id": "1"}], {"ID": lambda item: item["id"], "POOL": lambda item: item["pool"]["name"]}, Format.TABLE)
    assert capsys.readouterr().out == "ID  POOL\n1   –\n"


@pytest.mark.parametrize("no_color", ["", "1"])
def test_colours_are_for_terminals_and_not_for_everybody(monkeypatch: pytest.MonkeyPatch, no_color: str) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", no_color)
    master, slave = os.openpty()
    with os.fdopen(slave, "w") as terminal, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", terminal)
        show_list([{"id": "1", "status": "failed"}], {"STATUS": lambda item: item["status"]}, Format.TABLE)
    shown = os.read(master, 4096).decode()
    os.close(master)
    assert "failed" in shown
    assert ("\x1b[31mfailed" in shown) is (not no_color)


def test_ids_are_as_long_as_it_takes_to_tell_them_apart() -> None:
    ids = [
        "01a20085-a76e-7206-a1aa-73f3f367675a",
        "01a20085-a76e-7207-a1aa-73f3f367675a",
        "01a20085-9d2b-767e-8bf4-60949ebcaaaf",
    ]
    assert [short(ids), short(ids[1:]), short([])] == [18, 13, 13]
    siblings = ["01a20160-bc71-76cb-bb25-98b1bfc89e2f", "01a20160-bc71-76cb-bb25-98b2bfc89e2f"]
    assert short(siblings) == 28


def test_a_narrow_terminal_cuts_off_what_is_widest_and_nothing_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    titles = ("ID", "IMAGE", "POOL", "AGE")
    item = {"id": "01a20160-bc71", "image": "registry.example.com/" + "x" * 60, "pool": "default", "age": "3m"}
    master, slave = os.openpty()
    with os.fdopen(slave, "w") as terminal, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", terminal)
        show_list([item], {title: lambda row, title=title: row[title.lower()] for title in titles}, Format.TABLE)
    shown = os.read(master, 4096).decode()
    os.close(master)
    row = shown.splitlines()[1].split()
    assert (row[0], row[2:]) == ("01a20160-bc71", ["default", "3m"])
    assert row[1].startswith("registry.example.com/")
    assert row[1].endswith("…")


def test_a_narrow_terminal_takes_no_count_from_its_status() -> None:
    statuses = [status.value for status in (*ACTIVE, *STATUS_OF.values())]
    screen = Console(width=40, file=io.StringIO())
    screen.print(counted([{"n": 1000 + number, "status": status} for number, status in enumerate(statuses)]))
    shown = re.findall(r"\d+ \w+", screen.file.getvalue())
    assert shown == [f"{1000 + number} {status}" for number, status in enumerate(statuses)]


def test_a_hint_about_a_draft_names_the_verb_that_publishes() -> None:
    assert "`tailrace method publish NAME@VERSION`" in in_verbs(hint_of([FieldError("method", "draft", "is one")]))


def test_a_duration_is_spelled_out_exactly() -> None:
    seconds = (0, 45, 60, 600, 5400, 21_600, 90_061, 1_209_600)
    words = ["0 s", "45 s", "1 min", "10 min", "1 h 30 min", "6 h", "1 d 1 h 1 min 1 s", "14 d"]
    assert [spelled(each) for each in seconds] == words


def test_the_older_of_two_versions_is_to_be_updated() -> None:
    assert versions("0.2.0", "0.2.0").state == "ok"
    for ours, theirs, older in (("0.2.0", "0.10.0", "the client"), ("1.0.0", "0.10.0", "the server")):
        finding = versions(ours, theirs)
        assert finding.state == "warning"
        assert older in (finding.advice or "")


def test_what_happens_is_one_line_each() -> None:
    at = {"at": "2026-11-22T10:09:46.6Z"}
    moved = {"type": "execution", "id": "01a1", "name": "a\nb", "from": "queued", "status": "failed", "message": "No."}
    lines = [
        told(Happening({**at, **moved})),
        told(Happening({**at, **moved, "from": None, "status": "queued", "message": None})),
        told(Happening({**at, **moved, "from": "failed", "message": "Archived."})),
        told(Happening({"type": "progress", "id": "01a1", "percent": 50, "phase": "half", **at})),
        told(Happening({"type": "deleted", "id": "01a1", "status": "failed"})),
        told(Happening({"type": "resync", "cursor": 7})),
    ]
    assert [line.split("  ", 1)[-1] for line in lines] == [
        "01a1 (a�b) queued → failed: No.",
        "01a1 (a�b) queued",
        "01a1 (a�b) failed: Archived.",
        "01a1 50 % half",
        "01a1 deleted",
        "— Too much has happened to tell it: look at `tailrace ls`.",
    ]


def test_sizes_and_durations_for_people() -> None:
    assert [size(0), size(1536), size(2**30), size(None)] == ["0 B", "1.5 KiB", "1.0 GiB", "–"]
    assert [lasting(4.21), lasting(187), lasting(7387)] == ["4.2 s", "3:07", "2:03:07"]


def test_the_past_of_the_queue_is_a_line_of_bars() -> None:
    assert bars([]) == ""
    assert bars([0, 0]) == "▁▁"
    assert bars([0, 1, 50, 99, 100]) == "▁▁▅██"
    steps = [{"queue_age_seconds": age} for age in (None, 30.0, 240.0)]
    said = queue_line({"queue": {"oldest_seconds": 90.0}, "steps": steps})
    assert said == "queue: the first waits for 90s   last hour ▁▂█ at most 4m"
    said = queue_line({"queue": {"oldest_seconds": None}, "steps": [{"queue_age_seconds": None}, {}]})
    assert said == "queue: nothing waits that could start"
