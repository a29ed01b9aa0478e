"""The policy where it counts: what runs, and what is not started any more."""

from pathlib import Path

from support.eventually import eventually
from support.history import check_history
from support.own import StartOwn
from support.witness import Witness

POLICY = """
images: ["busybox:*"]
runtimes: [default, runc]
container: {read_only: true, user: "65534:65534"}
"""
PROGRAM = """
id -u; (echo x > /own) 2> /dev/null && echo writable
echo x > /tmp/x && echo tmp; echo kept > /tailrace/outputs/kept; exec sleep 600
"""


async def test_the_policy_holds_in_the_container_and_is_asked_again_before_it_is_made(
    own: StartOwn, witness: Witness, tmp_path: Path
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    tailrace = await own(TAILRACE_POLICY=str(path))
    execution = await tailrace.submit("sh", "-c", PROGRAM, user="0:0", runtime="runc")
    waiting = await tailrace.submit("echo", "never", hold=True)

    async def has_said() -> bool:
        return await tailrace.log_text(execution) == "65534\ntmp\n"

    await eventually(has_said)
    container = (await witness.the_container(execution)).id
    config = (await witness.runtime._http.json("GET", f"/containers/{container}/json"))["HostConfig"]
    assert (config["Runtime"], config["ReadonlyRootfs"]) == ("runc", True)
    fresh = tmp_path / "fresh"
    fresh.write_text("images: [other]")
    fresh.replace(path)
    await (await tailrace.api.get(waiting)).release()
    refused = await check_history(tailrace, waiting)
    assert (refused["status"], refused["cause"], refused["started_at"]) == ("failed", "image_denied", None)
    assert "`image` may not be `busybox:local` by the policy here" in refused["message"]
    # What runs is left alone.
    assert (await tailrace.execution(execution))["status"] == "running"
    await tailrace.cancel(execution, force=True)
    assert (await check_history(tailrace, execution))["outputs"]["files"] == 1
