"""Saving and loading, progress, results, inputs: everything that goes through a file."""

import json

import pytest
from job_mount import Mount, finish, read_line

from support.eventually import eventually

RESULT_LIMIT = 256 * 1024


async def test_what_was_saved_is_loaded(mount: Mount) -> None:
    finished = await mount.run_python("""
        tailrace_job.save("bytes", b"\\x00\\xff")
        tailrace_job.save("text", "née")
        tailrace_job.save("written", lambda file: file.write(b"by a function"))
        print(tailrace_job.save("model/epoch-1/weights", b"1").relative_to(tailrace_job.checkpoint_dir))
        tailrace_job.save(tailrace_job.outputs / "plot.svg", "<svg/>")
        names = ["bytes", "text", "written", "model/epoch-1/weights", "absent", "absent/too"]
        print([tailrace_job.load(name) for name in names])
    """)
    assert finished.out.splitlines() == [
        "model/epoch-1/weights",
        str([b"\x00\xff", "née".encode(), b"by a function", b"1", None, None]),
    ]
    assert (mount.outputs / "plot.svg").read_text() == "<svg/>"
    assert sorted(p.name for p in mount.checkpoint.iterdir()) == ["bytes", "model", "text", "written"]


async def test_a_save_that_fails_leaves_the_old_content_and_no_draft(mount: Mount) -> None:
    finished = await mount.run_python("""
        tailrace_job.save("state", "old")
        def write(file):
            file.write(b"half of the new")
            raise RuntimeError("no more")
        try:
            tailrace_job.save("state", write)
        except RuntimeError as error:
            print(error, tailrace_job.load("state"))
    """)
    assert finished.out == "no more b'old'\n"
    assert [p.name for p in mount.checkpoint.iterdir()] == ["state"]


async def test_killed_in_the_middle_of_a_save_the_old_content_stands(mount: Mount) -> None:
    program = await mount.start_python("""
        tailrace_job.save("state", "old")
        def write(file):
            file.write(b"half of the new")
            file.flush()
            print("half written")
            sys.stdin.readline()
        tailrace_job.save("state", write)
    """)
    assert await read_line(program) == "half written"
    program.kill()
    await finish(program)
    finished = await mount.run_python("""
        print(tailrace_job.load("state"))
        tailrace_job.save("state", "newer")
        print(tailrace_job.load("state"))
    """)
    assert finished.out == "b'old'\nb'newer'\n"


async def test_killed_at_any_moment_a_saved_file_is_whole(mount: Mount) -> None:
    for _ in range(10):
        program = await mount.start_python("""
            number = int((tailrace_job.load("state") or b"0")[:-300_000] or b"0")
            while True:
                number += 1
                tailrace_job.save("state", str(number) + "0" * 300_000)
                print(number)
        """)
        seen = await read_line(program)
        program.kill()
        await finish(program)
        saved = (mount.checkpoint / "state").read_text()
        number, zeros = saved[:-300_000], saved[-300_000:]
        assert int(number) >= int(seen)
        assert zeros == "0" * 300_000


async def test_inputs_are_a_mapping_read_when_looked_at(mount: Mount) -> None:
    mount.put("inputs.json", json.dumps({"restarts": 3, "name": "née"}))
    finished = await mount.run_python("""
        inputs = tailrace_job.inputs
        print(inputs["restarts"], inputs.get("absent", 1), sorted(inputs), len(inputs), "name" in inputs, dict(inputs))
    """)
    assert finished.out == "3 1 ['name', 'restarts'] 2 True {'restarts': 3, 'name': 'née'}\n"
    mount.put("inputs.json", "{")
    assert (await mount.run_python("print('imported')")).out == "imported\n"
    assert "JSONDecodeError" in (await mount.run_python("tailrace_job.inputs['a']")).err


async def test_the_deadline_is_read_each_time(mount: Mount) -> None:
    program = """
        print(tailrace_job.deadline())
        with open(os.environ["TAILRACE_DIR"] + "/deadline", "w") as file:
            file.write("1700000060\\n")
        print(tailrace_job.deadline())
    """
    assert (await mount.run_python(program, TAILRACE_DEADLINE="1700000000")).out == "1700000000.0\n1700000060.0\n"
    (mount.path / "deadline").unlink()
    assert (await mount.run_python("print(tailrace_job.deadline())")).out == "None\n"


async def test_what_is_left_until_the_deadline_is_never_negative(mount: Mount) -> None:
    mount.put("deadline", "1700000000.000\n")
    assert (await mount.run_python("print(tailrace_job.seconds_left())")).out == "0.0\n"
    mount.put("deadline", "99999999999.0\n")
    assert float((await mount.run_python("print(tailrace_job.seconds_left())")).out) > 10**9
    (mount.path / "deadline").unlink()
    assert (await mount.run_python("print(tailrace_job.seconds_left())")).out == "None\n"


async def test_a_warning_is_seen_while_it_stands(mount: Mount) -> None:
    asking = "print(tailrace_job.warned())"
    assert (await mount.run_python(asking)).out == "False\n"
    mount.put("warning", '{"deadline": 1700000000.5, "seconds": 30}')
    assert (await mount.run_python(asking)).out == "True\n"
    (mount.path / "warning").unlink()
    assert (await mount.run_python(asking)).out == "False\n"
    # To ask shows nothing of whether the program would stop.
    assert mount.events() == []


async def test_progress_is_throttled_and_the_last_value_is_kept(mount: Mount) -> None:
    finished = await mount.run_python("""
        import time
        began = time.monotonic()
        for step in range(100_000):
            tailrace_job.progress(step / 1001, "counting")
        print(time.monotonic() - began)
    """)
    lines = mount.events()
    assert 2 <= len(lines) <= float(finished.out) / 0.1 + 2
    assert lines[0] == {"progress": 0.0, "phase": "counting"}
    assert lines[-1] == {"progress": 99.9, "phase": "counting"}
    percents = [line["progress"] for line in lines]
    assert percents == sorted(set(percents))  # type: ignore[type-var]


async def test_a_held_back_progress_follows_with_a_checkpoint(mount: Mount) -> None:
    program = await mount.start_python("""
        tailrace_job.progress(1, "first")
        tailrace_job.progress(2)
        while True:
            tailrace_job.checkpoint()
    """)
    await eventually(lambda: {"progress": 2, "phase": "first"} in mount.events())
    program.kill()
    await finish(program)
    assert [line["progress"] for line in mount.events() if "progress" in line] == [1, 2]


async def test_a_hundred_per_cent_is_written_at_once_and_once(mount: Mount) -> None:
    await mount.run_python("""
        tailrace_job.progress(99)
        for _ in range(1000):
            tailrace_job.progress(100)
        os._exit(0)
    """)
    assert mount.events() == [{"progress": 99}, {"progress": 100}]


@pytest.mark.parametrize(("percent", "written"), [("-3", 0), ("1e9", 100), ("float('inf')", 100), ("33.333", 33.3)])
async def test_progress_is_clamped_and_rounded(mount: Mount, percent: str, written: float) -> None:
    await mount.run_python(f"tailrace_job.progress({percent})")
    assert mount.events() == [{"progress": written}]


async def test_progress_must_be_a_number(mount: Mount) -> None:
    assert "ValueError: percent" in (await mount.run_python("tailrace_job.progress(float('nan'))")).err
    assert mount.events() == []


async def test_a_result_is_one_line_of_json(mount: Mount) -> None:
    await mount.run_python("tailrace_job.result({'text': 'née\\n', 'list': [1, None, 2.5]})")
    assert mount.events() == [{"result": {"text": "née\n", "list": [1, None, 2.5]}}]


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (f"'x' * ({RESULT_LIMIT} - 1)", "ValueError: the result is 262145 bytes of JSON, the limit is 262144"),
        ("float('nan')", "ValueError"),
        ("'\\ud800'", "UnicodeEncodeError"),
        ("'\\0'", "ValueError: the result holds NUL"),
        ("object()", "TypeError"),
    ],
)
async def test_a_result_that_cannot_be_kept_is_refused(mount: Mount, value: str, error: str) -> None:
    assert error in (await mount.run_python(f"tailrace_job.result({value})")).err
    assert mount.events() == []


async def test_the_largest_result_arrives_whole(mount: Mount) -> None:
    await mount.run_python(f"tailrace_job.result('x' * ({RESULT_LIMIT} - 2))")
    assert mount.events() == [{"result": "x" * (RESULT_LIMIT - 2)}]


async def test_a_result_that_cannot_be_written_is_an_error(mount: Mount) -> None:
    (mount.path / "events").unlink()
    assert "FileNotFoundError" in (await mount.run_python("tailrace_job.result(1)")).err


async def test_events_that_cannot_be_written_do_not_disturb(mount: Mount) -> None:
    (mount.path / "events").unlink()
    finished = await mount.run_python("""
        tailrace_job.progress(3)
        tailrace_job.warn("nobody hears")
        tailrace_job.checkpoint()
    """)
    assert (finished.code, finished.err) == (0, "")
    assert not (mount.path / "events").exists()


async def test_a_warning_may_hold_any_text(mount: Mount) -> None:
    await mount.run_python("tailrace_job.warn('two\\nlines, née, \\ud800')")
    assert mount.events() == [{"warning": "two\nlines, née, ?"}]


async def test_lines_of_many_processes_and_threads_do_not_mix(mount: Mount) -> None:
    await mount.run_python("""
        import threading
        for child in range(4):
            if os.fork() == 0:
                threads = [
                    threading.Thread(target=lambda: [tailrace_job.warn("x" * 9000) for _ in range(50)])
                    for _ in range(4)
                ]
                [thread.start() for thread in threads]
                [thread.join() for thread in threads]
                os._exit(0)
        for child in range(4):
            os.wait()
    """)
    assert mount.events() == [{"warning": "x" * 9000}] * 800


async def test_on_a_laptop_everything_works_in_the_current_directory(mount: Mount) -> None:
    (mount.home / "inputs.json").write_text('{"a": 1}')
    finished = await mount.run_python(
        """
        print(os.listdir())
        with tailrace_job.stoppable():
            tailrace_job.checkpoint()
            tailrace_job.progress(50, "half")
            tailrace_job.warn("hm")
            tailrace_job.result({"a": tailrace_job.inputs["a"]})
            tailrace_job.save("state", "1")
            (tailrace_job.outputs / "out.txt").write_text("out")
            print(tailrace_job.load("state"), tailrace_job.deadline(), tailrace_job.should_stop())
            print(tailrace_job.seconds_left(), tailrace_job.warned())
        """,
        mounted=False,
    )
    assert finished.out == "['inputs.json']\nb'1' None False\nNone False\n", finished.err
    found = sorted(str(p.relative_to(mount.home)) for p in mount.home.rglob("*") if p.is_file())
    assert found == ["checkpoint/state", "inputs.json", "outputs/out.txt"]


async def test_an_unknown_name_is_an_attribute_error(mount: Mount) -> None:
    assert (
        "AttributeError: module 'tailrace_job' has no attribute 'output'"
        in (await mount.run_python("tailrace_job.output")).err
    )
