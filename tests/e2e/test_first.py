from support.running import Running


async def test_an_execution_runs_to_its_end_and_its_log_is_whole(tailrace: Running) -> None:
    execution = await tailrace.submit("sh", "-c", "echo hi; echo oops >&2; echo done > /tailrace/outputs/x")
    lines = await tailrace.lines(execution, follow=True)
    record = await tailrace.ended(execution)
    assert (record["status"], record["cause"], record["exit_code"]) == ("succeeded", "ok", 0)
    assert {(line.stream, line.text) for line in lines} == {("stdout", "hi"), ("stderr", "oops")}
    assert await tailrace.output(execution, "x") == b"done\n"
