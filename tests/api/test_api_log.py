"""Our own log, and the request id that ties it to answers."""

import logging
from collections.abc import Iterator

import httpx
import orjson
import pytest
import structlog
from served import Api

from app.observability.logging import configure_logging
from app.problems import crash_response

EVIL = 'evil\n{"event": "forged"}\r\x1b[2J\x85\u2028\x00'


@pytest.fixture
def restored() -> Iterator[None]:
    """Logging as it was, afterwards."""
    root = logging.getLogger()
    handlers, level, configuration = root.handlers, root.level, structlog.get_config()
    yield
    root.handlers, root.level = handlers, level
    logging.captureWarnings(False)
    structlog.configure(**configuration)


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("form", ["json", "console"])
def test_nobody_can_forge_a_line(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(form)
    structlog.get_logger("test").warning("test.event", value=EVIL)
    logging.getLogger("other").error("plain %s", EVIL)
    try:
        int(EVIL)
    except ValueError:
        structlog.get_logger("test").exception("test.failed")
    lines = capsys.readouterr().err.removesuffix("\n").split("\n")
    own = [line for line in lines if not line.startswith("  | ")]
    assert len(own) == 3
    assert not [line for line in lines if line.startswith('{"event": "forged')]
    assert not {"\x1b[2J", "\r", "\x00"} & {character for line in lines for character in (line, *line)}


@pytest.mark.usefixtures("restored")
def test_lines_are_json_with_a_constant_event(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    with structlog.contextvars.bound_contextvars(request_id="abc"):
        structlog.get_logger("test").info("thing.happened", count=2**70, odd="\ud800", raw=b"x")
    logging.getLogger("uvicorn.error").info("Started %s", "well")
    mine, theirs = map(orjson.loads, capsys.readouterr().err.splitlines())
    assert "thing.happened" in mine["event"]
    assert "abc" in mine["request_id"]
    assert (theirs["event"], theirs["logger"], theirs["level"]) == ("Started well", "uvicorn.error", "info")


@pytest.mark.usefixtures("restored")
def test_no_local_variable_gets_into_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    secret = "trt_" + "s" * 20
    try:
        [].remove(len(secret))
    except ValueError as error:
        crash_response(error, "/")
    line = orjson.loads(capsys.readouterr().err)
    assert line["event"] == "request.failed"
    assert "ValueError" in line["exception"]
    assert secret not in str(line)


@pytest.mark.parametrize(
    ("given", "echoed"), [("abc-123", True), ("a b", False), ("x" * 200, False), ("", False), ("<script>", False)]
)
async def test_a_request_id_is_echoed_if_it_is_harmless(
    *, given: str, echoed: bool, anonymous: httpx.AsyncClient
) -> None:
    for path in ("/healthz", "/v1/nothing", "/v1/executions"):
        response = await anonymous.get(path, headers={"X-Request-Id": given})
        assert (response.headers["x-request-id"] == given) is echoed
        assert response.headers["x-request-id"]


async def test_a_crash_is_a_problem_without_details(api: Api, anonymous: httpx.AsyncClient) -> None:
    async def crash() -> None:
        raise RuntimeError("a secret detail")

    api.app.add_api_route("/crash", crash, include_in_schema=False)
    response = await anonymous.get("/crash", headers={"X-Request-Id": "abc"})
    api.app.router.routes.pop()
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"] == "abc"
    assert "secret" not in response.text
