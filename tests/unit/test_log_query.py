from app.logs.query import LogQuery


def test_who_comes_back_gets_the_rest_and_not_what_would_be_counted_back_from_now() -> None:
    first = LogQuery.model_validate({"after": 3, "tail": 5, "since": "10m", "grep": "error", "level": "warn"})
    again = first.resumed(0)
    assert (again.after, again.tail, again.since) == (0, None, None)
    assert (again.grep, again.level, again.streams) == (first.grep, first.level, first.streams)
    assert LogQuery.model_validate({"since": "2026-11-21T10:00:00Z"}).resumed(7).since is not None
