from starlette.datastructures import QueryParams

from app.logs.protocol import LogStream
from app.logs.query import LogQuery, TailQuery


def test_who_comes_back_gets_the_rest_and_not_what_would_be_counted_back_from_now() -> None:
    first = LogQuery.model_validate({"after": 3, "tail": 5, "since": "10m", "grep": "error", "level": "warn"})
    again = first.resumed(0)
    assert (again.after, again.tail, again.since) == (0, None, None)
    assert (again.grep, again.level, again.streams) == (first.grep, first.level, first.streams)
    assert LogQuery.model_validate({"since": "2026-11-21T10:00:00Z"}).resumed(7).since is not None


def test_streams_may_be_repeated_and_what_is_empty_is_left_out() -> None:
    def streams(query: str) -> frozenset[LogStream]:
        return TailQuery.of(QueryParams(query)).streams

    assert streams("streams=stdout&streams=system") == streams("streams=system,stdout") == {"stdout", "system"}
    assert streams("streams=&streams=stdout") == {"stdout"}
    assert streams("streams=") == streams("streams=&streams=&after=") == streams("") == frozenset(LogStream)
