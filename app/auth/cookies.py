"""How a browser says who it is, and whether a page of ours lets it do so. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from starlette.requests import cookie_parser

from app.auth.tokens import SHARE_PREFIX
from app.errors import NotAllowed

# Where a browser has its session. Over https under the first name, which it takes from this very host and nobody else.
_SECURE_COOKIE = "__Host-tailrace_session"
_COOKIE = "tailrace_session"
_SHARE_COOKIE = "tailrace_share_"
_OWN_SITES = frozenset({"same-origin", "none"})


def cookie_name(*, secure: bool) -> str:
    """Of the session, where the request came over https or not."""
    return _SECURE_COOKIE if secure else _COOKIE


def share_cookie_name(share: UUID, *, secure: bool) -> str:
    """Of a share: one for each, so that none takes the place of another, and none that of the session."""
    return f"{'__Secure-' if secure else ''}{_SHARE_COOKIE}{share.hex}"


def only_share(cookies: str, share: UUID, *, secure: bool) -> str:
    """What a browser's cookies are where it comes by this share: that one in the place of the session, and no other."""
    token = cookie_parser(cookies).get(share_cookie_name(share, secure=secure), "")
    return f"{cookie_name(secure=secure)}={token}" if token.startswith(SHARE_PREFIX) else ""


def session_of(headers: Mapping[str, str], *, secure: bool, safe: bool) -> str | None:
    """The token that the cookie is, if there is one. Raises `NotAllowed` where a page of somebody else had it sent.

    What is `safe` to be asked for may also be a link that somebody followed.
    """
    token = cookie_parser(headers.get("cookie", "")).get(cookie_name(secure=secure))
    if token and (_is_asked_from_elsewhere(headers, safe=safe) or not (safe or _is_own_page(headers))):
        hint = "Where a cookie says who you are, `Origin` has to be this API's own. Send the token otherwise."
        raise NotAllowed("This was not asked for by a page of this API.", hint=hint)
    return token or None


def _is_asked_from_elsewhere(headers: Mapping[str, str], *, safe: bool) -> bool:
    """What the browser itself says of it; of a WebSocket not every one says it right, and there is `Origin`."""
    if headers.get("sec-fetch-site", "none") in _OWN_SITES:
        return False
    mode = headers.get("sec-fetch-mode")
    is_followed = safe and mode == "navigate" and headers.get("sec-fetch-dest") == "document"
    return not (is_followed or mode == "websocket")


def _is_own_page(headers: Mapping[str, str]) -> bool:
    """Whether a page of the address that was asked sent it. By which scheme only the proxy before us knows."""
    host = headers.get("host", "")
    return bool(host) and headers.get("origin", "") in {f"http://{host}", f"https://{host}"}
