from support.running import Running, lines_of


async def test_an_execution_runs_to_its_end_and_its_log_is_whole(tailrace: Running) -> None:
    execution = await tailrace.submit("sh", "-c", "echo hi; echo oops >&2; echo done > /tailrace/outputs/x")
    frames = await tailrace.frames(execution)
    record = await tailrace.ended(execution)
    assert (record["status"], record["cause"], record["exit_code"]) == ("succeeded", "ok", 0)
    assert [line[2] for line in lines_of(frames, "o")] == ["hi"]
    assert [line[2] for line in lines_of(frames, "e")] == ["oops"]
    assert await tailrace.output(execution, "x") == b"done\n"
