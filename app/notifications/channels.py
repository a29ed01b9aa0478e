"""Services that people are told by, through Apprise: which of them may be used, and sending to one.

Apprise reaches much more than mail and chat: a setting lists what may be used. It connects by itself, so the host that
a URL names is judged before each message; options that let it read files of this host or send twice are refused.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from app.bootstrap import Process
from app.notifications.model import SEND_WITHIN
from app.outbound.policy import Refused
from app.outbound.threads import wait_for

URL_CHARS = 2048
READ_WITHIN = 15.0
# Options of Apprise that name files or keys of this host, that repeat, or that go elsewhere than the URL says.
_REFUSED = frozenset(
    {"template", "pgp", "pgpprv", "pgppub", "wkd", "retry", "wait", "redirect", "store", "attach", "config", "image"}
)
# Whatever their URLs say, they connect to their own hosts.
_FIXED = frozenset({"slack", "discord", "tgram"})
_MAIL, _MAIL_PORTS = frozenset({"mailto", "mailtos"}), frozenset({25, 465, 587})
# Where a URL says none.
_PORTS = {"ntfy": 80, "ntfys": 443}
_FIXED_WITHOUT_A_HOST = frozenset({"ntfy", "ntfys"})


def scheme_of(url: str) -> str:
    """The service that a URL is for."""
    return url.partition("://")[0].strip().lower()


async def check(process: Process, url: str) -> str:
    """The service, if it may be used, and leads to one recipient. Raises `Refused`."""
    scheme = scheme_of(url)
    allowed = process.settings.notification_channels_allowed
    if scheme not in allowed:
        raise Refused(f"must be a URL of Apprise for one of: {', '.join(sorted(allowed)) or 'none'}")
    _check_options(url)
    await _check_host(process, scheme, await wait_for(lambda: _open(url), within=READ_WITHIN, name="apprise"))
    return scheme


async def send(process: Process, url: str, *, title: str, body: str) -> bool:
    """Whether the service took it. Raises `Refused`, and `TimeoutError` when nobody knows."""
    await check(process, url)
    return await wait_for(lambda: _send(url, title, body), within=SEND_WITHIN, name="notify")


def _check_options(url: str) -> None:
    if any(char < " " or char == "\x7f" for char in url):
        raise Refused("must not have control characters in it")
    try:
        options = {name.lower().lstrip("+-:") for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)}
    except ValueError:
        raise Refused("must be a URL that Apprise understands") from None
    if unwanted := sorted(options & _REFUSED):
        raise Refused(f"must not have the option `{unwanted[0]}`")


async def _check_host(process: Process, scheme: str, plugin: Any) -> None:
    if scheme in _FIXED or (scheme in _FIXED_WITHOUT_A_HOST and plugin.mode == "cloud"):
        return
    host = getattr(plugin, "smtp_host", None) or getattr(plugin, "host", None)
    if not host:
        raise Refused("must name a host")
    port = getattr(plugin, "port", None) or _PORTS.get(scheme)
    by_mail = scheme in _MAIL and port in _MAIL_PORTS
    await process.outbound.check_host(str(host), None if by_mail else port)


def _send(url: str, title: str, body: str) -> bool:
    # It is plain text: what a program has said is markup to nobody.
    return bool(_open(url).notify(title=title, body=body, body_format="text"))


def _open(url: str) -> Any:
    """What Apprise makes of it. Raises `Refused`."""
    # It takes half a second and much memory to import, which most processes never need.
    import apprise  # noqa: PLC0415

    asset = apprise.AppriseAsset(
        app_id="Tailrace",
        app_desc="Tailrace",
        app_url="",
        http_redirects=False,
        secure_logging=True,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        allow_templates=False,
    )
    plugin = apprise.Apprise.instantiate(url, asset=asset)
    if plugin is None:
        raise Refused("must be a URL that Apprise understands")
    if len(plugin) != 1:
        raise Refused("must lead to one recipient: make a rule for each")
    return plugin
