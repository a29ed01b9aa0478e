"""`arq worker.main.WorkerSettings` is the same worker, started by arq's own command."""

import signal

from support.arq_worker import start_arq
from support.history import check_history
from support.logs import Follower
from support.own import StartOwn
from support.witness import Witness


async def test_a_worker_started_by_arq_runs_executions_and_lets_go_of_them(own: StartOwn, witness: Witness) -> None:
    installation = await own(slots=2)
    await installation.stop("worker")
    await start_arq(installation)
    executions = [await installation.submit("sh", "-c", f"echo {number}; exit {number}") for number in range(6)]
    for number, execution in enumerate(executions):
        reader = Follower(installation, execution)
        await reader.read()
        assert reader.text() == f"{number}\n"
        assert (await check_history(installation, execution))["exit_code"] == number

    running = await installation.submit("sh", "-c", "for i in $(seq 300); do echo $i; sleep 0.01; done")
    container = (await witness.the_container(running)).id
    await installation.stop("arq", signal.SIGTERM)
    assert [found.id for found in await witness.alive(running)] == [container]
    await start_arq(installation)
    record = await check_history(installation, running)
    assert (record["status"], record["attempt"]) == ("succeeded", 1)
    assert await installation.log_text(running) == "".join(f"{number}\n" for number in range(1, 301))
