"""Being asked to stop: the file, the signals, and the exit codes."""

import signal
import sys

import pytest
from job_mount import Mount, finish, read_line, write_line

WORK_UNTIL_STOPPED = """
    with tailrace_job.stoppable():
        tailrace_job.save("state", "1")
        tailrace_job.checkpoint()
        print("working")
        while True:
            tailrace_job.checkpoint()
"""


async def test_a_stop_file_ends_the_program_with_85(mount: Mount) -> None:
    program = await mount.start_python(WORK_UNTIL_STOPPED)
    assert await read_line(program) == "working"
    mount.stop(reason="cancel", by="ann", deadline=1.5)
    finished = await finish(program)
    assert (finished.code, finished.err) == (85, "")
    assert (mount.checkpoint / "state").read_text() == "1"


async def test_sigterm_ends_the_program_with_85(mount: Mount) -> None:
    program = await mount.start_python(WORK_UNTIL_STOPPED)
    assert await read_line(program) == "working"
    program.send_signal(signal.SIGTERM)
    finished = await finish(program)
    assert (finished.code, finished.err) == (85, "")


async def test_the_request_says_why_and_who_and_until_when(mount: Mount) -> None:
    mount.stop(reason="cancel", by="ann", deadline=1700000000.5)
    finished = await mount.run_python("""
        import pickle
        try:
            tailrace_job.checkpoint()
        except tailrace_job.TerminationRequested as stop:
            again = pickle.loads(pickle.dumps(stop))
            print(again.reason, again.by, again.deadline, again, sep="|")
    """)
    assert finished.out == "cancel|ann|1700000000.5|stop requested (cancel) by ann\n"


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"reason": null}', "\x00"])
async def test_a_stop_file_that_makes_no_sense_is_still_a_stop(mount: Mount, content: str) -> None:
    mount.put("stop", content)
    finished = await mount.run_python("""
        try:
            tailrace_job.checkpoint()
        except tailrace_job.TerminationRequested as stop:
            print(stop.reason, stop.by, stop.deadline)
    """)
    assert finished.out == "stop None None\n"


async def test_except_exception_does_not_swallow_the_request(mount: Mount) -> None:
    mount.stop(reason="cancel")
    finished = await mount.run_python("""
        tailrace_job.save("state", "1")
        with tailrace_job.stoppable():
            while True:
                try:
                    tailrace_job.checkpoint()
                except Exception:
                    print("swallowed")
    """)
    assert (finished.code, finished.out) == (85, "")


async def test_a_request_can_be_withdrawn(mount: Mount) -> None:
    program = await mount.start_python("""
        asked = None
        while True:
            if tailrace_job.should_stop() is not asked:
                asked = tailrace_job.should_stop()
                print(asked)
    """)
    assert await read_line(program) == "False"
    mount.stop(reason="pause")
    assert await read_line(program) == "True"
    (mount.path / "stop").unlink()
    assert await read_line(program) == "False"
    mount.stop(reason="cancel")
    assert await read_line(program) == "True"


async def test_a_request_comes_again_for_as_long_as_it_stands(mount: Mount) -> None:
    mount.stop(reason="cancel")
    finished = await mount.run_python("""
        for _ in range(3):
            try:
                tailrace_job.checkpoint()
            except tailrace_job.TerminationRequested:
                print("asked")
    """)
    assert finished.out == "asked\n" * 3


async def test_a_signal_only_sets_the_flag(mount: Mount) -> None:
    program = await mount.start_python("""
        tailrace_job.checkpoint()
        print("busy")
        sys.stdin.readline()
        print("not disturbed")
        try:
            tailrace_job.checkpoint()
        except tailrace_job.TerminationRequested as stop:
            print(stop.reason)
    """)
    assert await read_line(program) == "busy"
    program.send_signal(signal.SIGTERM)
    await write_line(program)
    assert (await finish(program)).out == "not disturbed\nSIGTERM\n"


async def test_the_file_explains_the_signal(mount: Mount) -> None:
    program = await mount.start_python("""
        tailrace_job.checkpoint()
        print("busy")
        sys.stdin.readline()
        try:
            tailrace_job.checkpoint()
        except tailrace_job.TerminationRequested as stop:
            print(stop.reason)
    """)
    assert await read_line(program) == "busy"
    mount.stop(reason="timeout")
    program.send_signal(signal.SIGTERM)
    await write_line(program)
    assert (await finish(program)).out == "timeout\n"


async def test_a_program_that_saves_but_never_asks_is_not_made_deaf_to_signals(mount: Mount) -> None:
    program = await mount.start_python("""
        tailrace_job.save("state", "1")
        print("saved")
        sys.stdin.readline()
    """)
    assert await read_line(program) == "saved"
    program.send_signal(signal.SIGTERM)
    assert (await finish(program)).code == -signal.SIGTERM
    assert mount.events() == []


async def test_handlers_of_the_program_are_left_alone(mount: Mount) -> None:
    finished = await mount.run_python("""
        import signal
        mine = lambda *_: print("mine")
        signal.signal(signal.SIGTERM, mine)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        tailrace_job.checkpoint()
        print(signal.getsignal(signal.SIGTERM) is mine, signal.getsignal(signal.SIGINT) is signal.SIG_IGN)
    """)
    assert finished.out == "True True\n"


async def test_checkpoint_works_in_a_thread_and_the_main_thread_takes_the_signals_later(mount: Mount) -> None:
    program = await mount.start_python("""
        import threading
        thread = threading.Thread(target=tailrace_job.checkpoint)
        thread.start()
        thread.join()
        while True:
            try:
                tailrace_job.checkpoint()
                import signal
                if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
                    break
            except tailrace_job.TerminationRequested:
                sys.exit("too early")
        print("listening")
        with tailrace_job.stoppable():
            while True:
                tailrace_job.checkpoint()
    """)
    assert await read_line(program) == "listening"
    program.send_signal(signal.SIGTERM)
    assert (await finish(program)).code == 143


@pytest.mark.parametrize("method", ["fork", "spawn"])
async def test_worker_processes_of_the_program_can_still_be_ended_by_sigterm(mount: Mount, method: str) -> None:
    (mount.home / "pooled.py").write_text("""
import multiprocessing
import sys

import tailrace_job

def work(pipe):
    tailrace_job.checkpoint()
    pipe.send("cooperating")
    pipe.recv()

if __name__ == "__main__":
    tailrace_job.checkpoint()
    ours, theirs = multiprocessing.Pipe()
    worker = multiprocessing.get_context(sys.argv[1]).Process(target=work, args=[theirs])
    worker.start()
    print(ours.recv())
    worker.terminate()
    worker.join()
    print(worker.exitcode)
""")
    finished = await mount.run(sys.executable, "pooled.py", method)
    assert finished.out == "cooperating\n-15\n", finished.err


async def test_asking_in_a_hot_loop_hardly_touches_the_file_system(mount: Mount) -> None:
    finished = await mount.run_python("""
        import time
        opened = []
        stop = os.path.join(os.environ["TAILRACE_DIR"], "stop")
        sys.addaudithook(lambda event, args: event == "open" and str(args[0]) == stop and opened.append(1))
        began = time.monotonic()
        for _ in range(300_000):
            tailrace_job.checkpoint()
        print(1 <= len(opened) <= 2 * (time.monotonic() - began) / 0.05 + 2)
    """)
    assert finished.out == "True\n", finished


async def test_cooperation_is_announced_once_and_not_by_the_import(mount: Mount) -> None:
    assert (await mount.run_python("tailrace_job.outputs, tailrace_job.inputs")).code == 0
    assert mount.events() == []
    await mount.run_python("tailrace_job.checkpoint(); tailrace_job.should_stop(); tailrace_job.exit_saved()")
    assert mount.events() == [{"checkpoints": True}]


async def test_stopped_with_nothing_saved_is_not_called_saved(mount: Mount) -> None:
    mount.stop(reason="cancel", by="ann")
    (mount.checkpoint / ".state.17.tmp").write_text("half a draf")
    finished = await mount.run_python("""
        with tailrace_job.stoppable():
            tailrace_job.checkpoint()
    """)
    assert finished.code == 143
    assert finished.err == "tailrace_job: stop requested (cancel) by ann; no checkpoint was saved\n"


async def test_stopped_before_the_first_save_the_checkpoint_it_came_from_counts(mount: Mount) -> None:
    mount.stop(reason="pause")
    (mount.checkpoint / "model").mkdir()
    (mount.checkpoint / "model" / "weights").write_text("1")
    finished = await mount.run_python("""
        @tailrace_job.stoppable()
        def main():
            tailrace_job.checkpoint()

        main()
    """)
    assert (finished.code, finished.err) == (85, "")


async def test_other_endings_pass_through_stoppable(mount: Mount) -> None:
    finished = await mount.run_python("""
        with tailrace_job.stoppable():
            print("done")
        with tailrace_job.stoppable():
            sys.exit(3)
    """)
    assert (finished.code, finished.out) == (3, "done\n")


@pytest.mark.parametrize(("ending", "code"), [("exit_saved", 85), ("exit_canceled", 86)])
async def test_an_exit_code_of_the_kit_is_announced(mount: Mount, ending: str, code: int) -> None:
    finished = await mount.run_python(f"tailrace_job.{ending}()")
    assert (finished.code, finished.err) == (code, "")
    assert mount.events() == [{"checkpoints": True}]


async def test_on_a_laptop_the_first_ctrl_c_asks_and_the_second_interrupts(mount: Mount) -> None:
    # In a terminal SIGINT is not ignored, as it is in a background job of a shell, which these tests may be.
    program = await mount.start_python(
        """
        import signal
        signal.signal(signal.SIGINT, signal.default_int_handler)
        tailrace_job.checkpoint()
        print("busy")
        while not tailrace_job.should_stop():
            pass
        print("asked")
        while True:
            pass
        """,
        mounted=False,
    )
    assert await read_line(program) == "busy"
    program.send_signal(signal.SIGINT)
    assert await read_line(program) == "asked"
    program.send_signal(signal.SIGINT)
    finished = await finish(program)
    assert finished.err.endswith("KeyboardInterrupt\n")
