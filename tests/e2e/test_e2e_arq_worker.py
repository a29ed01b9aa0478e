"""`arq worker.main.WorkerSettings` is the same worker, started by arq's own command."""

import signal

from support.arq_worker import start_arq
from support.history import check_history
from support.logs import Follower
from support.own import StartOwn
from support.programs import until_it_says
from support.witness import Witness

# Until it is asked to stop.
COUNTS = """
    i=0; while [ ! -f /tailrace/stop ]; do i=$((i+1)); echo $i; sleep 0.01; done
    echo $i > /tailrace/outputs/last
"""


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

    running = await installation.submit("sh", "-c", COUNTS, limits={"grace": 600, "notice": 599})
    await until_it_says(installation, running, "20")
    container = (await witness.the_container(running)).id
    await installation.stop("arq", signal.SIGTERM)
    assert [found.id for found in await witness.alive(running)] == [container]
    await start_arq(installation)
    await installation.cancel(running)
    record = await check_history(installation, running)
    assert (record["status"], record["attempt"]) == ("succeeded", 1)
    last = int(await installation.output(running, "last"))
    assert await installation.log_text(running) == "".join(f"{number}\n" for number in range(1, last + 1))
