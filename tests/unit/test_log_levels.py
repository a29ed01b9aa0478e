"""Levels, as programs write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.logs.levels import LEVEL_OF, Level, level_of

TRACE, DEBUG, INFO, WARN, ERROR, FATAL = Level

KNOWN = [
    # JSON: structlog, zap, bunyan and pino, Python, GELF, Google Cloud, ECS, slog.
    ('{"level":"error","msg":"x"}', ERROR),
    ('{"event": "x", "level": "warning", "timestamp": "2026-11-21T03:32:20Z"}', WARN),
    ('{"level":30,"time":1795231940,"msg":"x"}', INFO),
    ('{"name":"app","level":50}', ERROR),
    ('{"level":3,"host":"a"}', ERROR),
    ('{"severity":"WARNING","message":"x"}', WARN),
    ('{"levelname":"CRITICAL"}', FATAL),
    ('{"lvl":"dbug"}', DEBUG),
    ('{"log.level":"error","message":"x"}', ERROR),
    ('  {"time":"2026-11-21T03:32:20Z","level":"INFO","msg":"x"}', INFO),
    # logfmt: logrus, Go's slog, Loki.
    ('time="2026-11-21T03:32:20Z" level=warning msg="x"', WARN),
    ("level=info msg=x", INFO),
    ('ts=2026-11-21T03:32:20Z caller=main.go:1 level="error" err="x"', ERROR),
    # Plain beginnings.
    ("[ERROR] x", ERROR),
    ("ERROR: x", ERROR),
    ("ERROR x", ERROR),
    ("  WARN indented", WARN),
    ("error: cannot find symbol", ERROR),
    ("error[E0382]: borrow of moved value", ERROR),
    ("Error: Cannot find module 'x'", ERROR),
    ("warning: unused variable", WARN),
    ("fatal: not a git repository", FATAL),
    ("[warn] x", WARN),
    ("SEVERE: x", ERROR),
    ("npm ERR! code ENOENT", ERROR),
    ("npm WARN deprecated x", WARN),
    ("10:20 warning: x", WARN),
    # Python.
    ("INFO:root:message", INFO),
    ("2026-11-21 03:32:20,614 - app.db - WARNING - slow", WARN),
    ('INFO:     127.0.0.1:5 - "GET / HTTP/1.1" 200 OK', INFO),
    ("2026-11-21 03:32:20.614 | CRITICAL | app.main:run:1 - x", FATAL),
    ("[2026-11-21 03:32:20,614: WARNING/MainProcess] x", WARN),
    ("[2026-11-21 03:32:20,614] {taskinstance.py:1} INFO - x", INFO),
    ("[2026-11-21 03:32:20 +0000] [7] [INFO] Starting gunicorn", INFO),
    ("[I 2026-11-21 03:32:20.614 NotebookApp] x", INFO),
    ("2026-11-21 03:32:20.614: W tensorflow/core/x.cc:1] x", WARN),
    ("Traceback (most recent call last):", ERROR),
    # Java.
    ("2026-11-21 03:32:20.614 [main] INFO  c.example.App - x", INFO),
    ("2026-11-21 03:32:20.614  WARN 1234 --- [main] c.e.App : x", WARN),
    ("03:32:20.123 [main] DEBUG c.example.App - x", DEBUG),
    ("ERROR [main] (Foo.java:12) - x", ERROR),
    ('Exception in thread "main" java.lang.RuntimeException: x', ERROR),
    # Go.
    ("2026/11/21 03:32:20 INFO x", INFO),
    ("2026-11-21T03:32:20.614Z\tERROR\tmain.go:1\tx", ERROR),
    ("ERRO[0001] x", ERROR),
    ("E1121 03:32:20.614000       7 file.go:1] x", ERROR),
    ("I1121 03:32:20.614000       7 file.go:1] x", INFO),
    ("panic: runtime error: index out of range", FATAL),
    # Rust.
    ("[2026-11-21T03:32:20Z ERROR crate::module] x", ERROR),
    ("2026-11-21T03:32:20.614Z  WARN crate::module: x", WARN),
    ("thread 'main' panicked at src/main.rs:1:", ERROR),
    # .NET, Ruby, Android.
    ("info: Microsoft.Hosting.Lifetime[0]", INFO),
    ("fail: App[0]", ERROR),
    ("crit: App[0]", FATAL),
    ("[03:32:20 WRN] x", WARN),
    ("E, [2026-11-21T03:32:20.614 #123] ERROR -- : x", ERROR),
    ("W/Tag( 7): x", WARN),
    # Servers, and syslog.
    ("2026/11/21 03:32:20 [error] 31#31: *1 open() failed", ERROR),
    ("[Sat Nov 21 03:32:20.614 2026] [core:error] [pid 1] x", ERROR),
    ("2026-11-21 03:32:20.614 UTC [123] FATAL:  x", FATAL),
    ("Nov 21 03:32:20 host app[1]: ERROR x", ERROR),
    ("<3>x", ERROR),
    ("<14>x", INFO),
]
UNKNOWN = [
    "",
    "hello world",
    "no error found",
    "2026-11-21 03:32:20 no error found",
    "2026/11/21 03:32:20 main.go:12: x",
    "ValueError: x",
    "I/O error",
    "ERRORS: 3",
    "INFO=1",
    "Information about errors",
    '  File "app.py", line 3, in <module>',
    "\tat com.example.App.main(App.java:5)",
    "100%|####| 3/3 [00:01<00:00, 3.2it/s]",
    "<b>x</b>",
    '{"level":true}',
    '{"level":null}',
    '{"level":[]}',
    '{"level":1e999}',
    '{"level":-5}',
    '{"level":123456789012345678901234567890}',
    '{"message":"ERROR"}',
    '{"nested":{"level":"error"}}',
    '{"level":"error"',
    "{ERROR} x",
    "[" * 100_000,
    "{" * 100_000,
]


@pytest.mark.parametrize(("line", "level"), KNOWN)
def test_a_level_is_recognised(line: str, level: Level) -> None:
    assert level_of(line) is level


@pytest.mark.parametrize("line", UNKNOWN, ids=lambda line: line[:30])
def test_what_is_no_level_is_not_taken_for_one(line: str) -> None:
    assert level_of(line) is None


@pytest.mark.parametrize(("word", "level"), LEVEL_OF.items())
def test_every_word_means_the_same_everywhere(word: str, level: Level) -> None:
    assert level_of(f"[{word.upper()}] x") is level
    assert level_of(f"2026-11-21T03:32:20Z {word.upper()} x") is level
    assert level_of(f"level={word} msg=x") is level
    assert level_of(f'{{"level":"{word}"}}') is level


@given(st.text(max_size=300) | st.text('[]{}()<>:,-| 0123456789TZEWIDerorWARNINGinfo="\t', max_size=300))
def test_any_line_has_a_level_or_none(line: str) -> None:
    assert level_of(line) in {None, *Level}


@given(st.sampled_from(KNOWN), st.text(st.characters(exclude_characters="}"), max_size=5_000))
def test_what_a_line_says_later_does_not_change_its_level(known: tuple[str, Level], more: str) -> None:
    line, level = known
    if not line.strip().startswith("{"):
        assert level_of(f"{line} {more}") is level
