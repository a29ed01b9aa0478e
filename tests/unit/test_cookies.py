"""When a browser's cookie says who it is: for pages of ours, and nobody else's."""

from __future__ import annotations

import pytest

from app.auth.cookies import cookie_name, session_of
from app.errors import NotAllowed

HOST = {"host": "tailrace"}
OWN = {**HOST, "origin": "https://tailrace"}
PAGE = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


def cookie(name: str, value: str = "trt_x") -> dict[str, str]:
    return {"cookie": f"{name}={value}"}


@pytest.mark.parametrize("secure", [True, False])
def test_over_https_only_a_cookie_counts_that_nobody_else_can_have_set(*, secure: bool) -> None:
    assert cookie_name(secure=True).startswith("__Host-")
    mine, other = cookie_name(secure=secure), cookie_name(secure=not secure)
    assert session_of(cookie(mine), secure=secure, safe=True) == "trt_x"
    assert session_of(cookie(other), secure=secure, safe=True) is None
    assert session_of(cookie(mine, ""), secure=secure, safe=True) is None
    assert session_of({}, secure=secure, safe=False) is None


@pytest.mark.parametrize(
    ("headers", "safe", "unsafe"),
    [
        (HOST, True, False),
        (OWN, True, True),
        ({**OWN, "sec-fetch-site": "same-origin"}, True, True),
        ({**HOST, "sec-fetch-site": "none"}, True, False),
        ({**HOST, "sec-fetch-site": "same-site"}, False, False),
        ({**OWN, "sec-fetch-site": "same-site"}, False, False),
        ({**OWN, "sec-fetch-site": "cross-site"}, False, False),
        # A link that somebody followed, and a frame.
        ({**HOST, **PAGE, "sec-fetch-site": "same-site"}, True, False),
        ({**OWN, **PAGE, "sec-fetch-site": "same-site"}, True, False),
        ({**HOST, **PAGE, "sec-fetch-dest": "iframe", "sec-fetch-site": "same-site"}, False, False),
        ({**OWN, "sec-fetch-site": "cross-site", "sec-fetch-mode": "websocket"}, True, True),
        ({**HOST, "sec-fetch-site": "same-origin", "sec-fetch-mode": "websocket"}, True, False),
    ],
)
def test_what_the_browser_says_of_who_asked_is_heeded(headers: dict[str, str], *, safe: bool, unsafe: bool) -> None:
    for is_safe, is_allowed in ((True, safe), (False, unsafe)):
        sent = headers | cookie(cookie_name(secure=True))
        if is_allowed:
            assert session_of(sent, secure=True, safe=is_safe) == "trt_x"
        else:
            with pytest.raises(NotAllowed):
                session_of(sent, secure=True, safe=is_safe)
