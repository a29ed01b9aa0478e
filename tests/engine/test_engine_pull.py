import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.engine.layers import PullProgress
from worker.engine.port import EngineError, ImageNotFound, ImagePullFailed
from worker.engine.pull import SingleFlight, local_name, parse_reference, pull_error

HEX = "0123456789abcdef" * 4
DIGEST = f"sha256:{HEX}"


def test_a_pull_makes_a_step_whenever_something_new_is_heard_of_a_layer() -> None:
    progress, steps = PullProgress(), []
    for status, current in (
        ("Waiting", None),
        ("Waiting", None),
        ("Downloading", 10),
        ("Downloading", 20),
        ("Downloading", 20),
        ("Extracting", 20),
        ("Retrying in 5 seconds", None),
    ):
        progress.hear({"id": "x", "status": status, "progressDetail": {"current": current} if current else {}})
        steps.append(progress.steps)
    assert steps == [1, 1, 2, 3, 3, 4, 4]


@pytest.mark.parametrize(
    ("text", "name", "tag", "digest"),
    [
        ("busybox", "busybox", "latest", None),
        ("busybox:local", "busybox", "local", None),
        ("team/app", "team/app", "latest", None),
        ("registry:5000/app", "registry:5000/app", "latest", None),
        ("registry:5000/app:1.2", "registry:5000/app", "1.2", None),
        ("registry:5000", "registry", "5000", None),
        ("127.0.0.1:5000/a/b/c:X_1", "127.0.0.1:5000/a/b/c", "X_1", None),
        ("[::1]:5000/app", "[::1]:5000/app", "latest", None),
        (f"app@{DIGEST}", "app", None, DIGEST),
        (f"registry:5000/app:1@{DIGEST}", "registry:5000/app", None, DIGEST),
        ("a--b__c.d_e/f", "a--b__c.d_e/f", "latest", None),
        ("deadbeef", "deadbeef", "latest", None),
    ],
)
def test_a_reference_is_read_to_its_end(text: str, name: str, tag: str | None, digest: str | None) -> None:
    reference = parse_reference(text)
    assert (reference.name, reference.tag, reference.digest) == (name, tag, digest)
    assert local_name(text) == reference.text == (f"{name}@{digest}" if digest else f"{name}:{tag}")


@pytest.mark.parametrize(
    "text",
    [
        *("", ":tag", "UPPER", "a b", "a:", "a:b:c", "a@", "a@sha256:12", "../a", "a/../b", "a//b", "/a", "a/", "a?x"),
        *(
            "a%2f",
            "-a",
            "a-",
            "a..b",
            "a___b",
            "a:-tag",
            f"a:{'x' * 129}",
            "x" * 600,
            "a\n",
            "a:b\n",
            f"a@{DIGEST}:tag",
        ),
    ],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a valid image reference"):
        parse_reference(text)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        reference = parse_reference(text)
    except ValueError:
        return
    assert parse_reference(reference.text) == reference


def test_an_image_id_is_asked_for_as_it_is() -> None:
    assert local_name(DIGEST) == DIGEST
    # Cut short it is a name and a tag to us, and the beginning of an id to the engine.
    assert local_name(DIGEST[:20]) == f"docker.io/library/{DIGEST[:20]}"
    with pytest.raises(ValueError, match="the id of an image"):
        parse_reference(DIGEST)


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("docker.io/library/busybox", "busybox"),
        ("index.docker.io/team/app", "team/app"),
        ("library/busybox", "busybox"),
        ("index.example.org/app", "index.example.org/app"),
        ("example.org/library/app", "example.org/library/app"),
    ],
)
def test_the_repository_is_named_as_the_engine_names_it(name: str, repository: str) -> None:
    assert parse_reference(name).repository == repository


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("manifest for app:1 not found: manifest unknown: manifest unknown", ImageNotFound),
        ("repository app not found: name unknown: repository name not known to registry", ImageNotFound),
        ("pull access denied for app, repository does not exist or may require 'docker login'", ImageNotFound),
        ("denied: requested access to the resource is denied", ImageNotFound),
        ("denied", ImageNotFound),
        ("unauthorized: authentication required", ImageNotFound),
        ("no matching manifest for linux/amd64 in the manifest list entries", ImageNotFound),
        ("toomanyrequests: Rate exceeded; access denied", ImagePullFailed),
        ("You have reached your pull rate limit: not found", ImagePullFailed),
        ("received unexpected HTTP status: 503 Service Unavailable", ImagePullFailed),
        ("dial tcp: lookup example.invalid: no such host", ImagePullFailed),
        ("open /var/lib/docker/tmp/x: permission denied", ImagePullFailed),
        ("error pulling image configuration: download failed after attempts=6: unknown blob", ImagePullFailed),
        ("write /x: no space left on device", ImagePullFailed),
    ],
)
def test_a_refused_pull_is_told_from_a_failed_one(words: str, kind: type[EngineError]) -> None:
    error = pull_error(parse_reference("app:1"), words)
    assert type(error) is kind
    assert str(error) == f"Cannot pull app:1: {words}"


def heard(*said: tuple[str, str, int | None, int | None]) -> PullProgress:
    progress = PullProgress()
    for id_, status, current, total in said:
        details = {} if current is None else {"current": current, "total": total}
        progress.hear({"id": id_, "status": status, "progressDetail": details})
    return progress


def test_layers_and_bytes_of_a_pull_are_added_up() -> None:
    progress = heard(
        ("1.36", "Pulling from library/busybox", None, None),
        ("a", "Already exists", None, None),
        ("b", "Pulling fs layer", None, None),
        ("c", "Pulling fs layer", None, None),
        ("c", "Waiting", None, None),
        ("b", "Downloading", 30, 100),
    )
    assert (progress.done, progress.layers, progress.loaded, progress.size) == (1, 3, 30, 100)
    for said in (("b", "Verifying Checksum"), ("b", "Download complete")):
        progress.hear({"id": said[0], "status": said[1], "progressDetail": {}})
    assert (progress.done, progress.loaded) == (1, 100)
    progress.hear({"id": "b", "status": "Extracting", "progressDetail": {"current": 10, "total": 100}})
    assert (progress.done, progress.loaded) == (1, 100)
    progress.hear({"id": "b", "status": "Pull complete", "progressDetail": {}})
    assert (progress.done, progress.layers, progress.loaded, progress.size) == (2, 3, 100, 100)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"status": "Digest: sha256:00"},
        {"status": "Downloading"},
        {"status": "Downloading", "id": 5},
        {"status": None, "id": "a"},
        {"id": "a", "status": "Something new"},
        {"error": "no"},
    ],
)
def test_what_is_not_said_of_a_layer_is_passed_over(said: dict[str, object]) -> None:
    progress = PullProgress()
    progress.hear(said)
    assert (progress.layers, progress.size) == (0, 0)


def test_a_layer_of_unknown_size_is_counted_all_the_same() -> None:
    progress = heard(("a", "Downloading", 5, 0), ("a", "Pull complete", None, None))
    assert (progress.done, progress.layers) == (1, 1)


class Work:
    """Something that takes until it is told to end."""

    def __init__(self) -> None:
        self.begun = 0
        self.abandoned = asyncio.Event()
        self.end: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def __call__(self) -> None:
        self.begun += 1
        try:
            await asyncio.shield(self.end)
        except asyncio.CancelledError:
            self.abandoned.set()
            raise


async def together(flight: SingleFlight, work: Callable[[], Awaitable[None]], callers: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(flight.run("a", work)) for _ in range(callers)]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_callers_at_the_same_time_share_one_run() -> None:
    flight, work = SingleFlight(), Work()
    tasks = await together(flight, work, 5)
    work.end.set_result(None)
    await asyncio.gather(*tasks)
    assert work.begun == 1
    await flight.run("a", work)
    assert work.begun == 2


async def test_every_caller_hears_of_the_failure_and_the_next_one_tries_again() -> None:
    flight, work = SingleFlight(), Work()
    tasks = await together(flight, work, 3)
    work.end.set_exception(ImagePullFailed("no"))
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["no"] * 3
    again = Work()
    again.end.set_result(None)
    await flight.run("a", again)
    assert again.begun == 1


async def test_a_caller_that_gives_up_does_not_stop_the_others() -> None:
    flight, work = SingleFlight(), Work()
    first, second = await together(flight, work, 2)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert not work.abandoned.is_set()
    work.end.set_result(None)
    await second


async def test_the_last_caller_that_gives_up_ends_the_run_and_the_next_begins_its_own() -> None:
    flight, work = SingleFlight(), Work()
    tasks = await together(flight, work, 2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    again = Work()
    again.end.set_result(None)
    await flight.run("a", again)
    await work.abandoned.wait()
    assert (work.begun, again.begun) == (1, 1)


async def test_different_keys_run_side_by_side() -> None:
    flight, one, other = SingleFlight(), Work(), Work()
    waiting = asyncio.create_task(flight.run("one", one))
    other.end.set_result(None)
    await flight.run("other", other)
    one.end.set_result(None)
    await waiting
