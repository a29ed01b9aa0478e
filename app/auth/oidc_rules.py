"""What the settings say of an OIDC issuer: whose tokens are taken, and what their claims mean here. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Self

from pydantic import TypeAdapter, ValidationError
from yarl import URL

from app.auth.model import Role
from app.auth.tokens import Scope
from app.outbound.policy import Allowed
from app.quotas.model import OwnerName

if TYPE_CHECKING:
    from app.settings import Settings

# With one key to sign and another to verify. Whoever may verify by a shared secret could sign as well.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
Claims = Mapping[str, Any]
_OWNER: TypeAdapter[str] = TypeAdapter(OwnerName)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Which tokens are taken, and who their holders are. `roles` are values of a claim, and what each makes of them.

    Its `repr` is the same in all processes with the same settings.
    """

    issuer: str
    audience: tuple[str, ...]
    algorithms: tuple[str, ...]
    leeway: int
    owner_claim: str
    owner_prefix: str
    roles_claim: str
    roles: tuple[tuple[str, Role], ...]
    default_role: Role | None
    absence: timedelta

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """None without an issuer."""
        if not settings.oidc_issuer:
            return None
        values = {
            Role.VIEWER: settings.oidc_viewers,
            Role.OPERATOR: settings.oidc_operators,
            Role.ADMIN: settings.oidc_admins,
        }
        return cls(
            issuer=settings.oidc_issuer,
            audience=tuple(parts(settings.oidc_audience)),
            algorithms=tuple(parts(settings.oidc_algorithms)),
            leeway=settings.oidc_clock_skew,
            owner_claim=settings.oidc_owner_claim,
            owner_prefix=settings.oidc_owner_prefix,
            roles_claim=settings.oidc_roles_claim,
            roles=tuple((value, role) for role, text in values.items() for value in parts(text)),
            default_role=None if settings.oidc_default_role == "none" else Role(settings.oidc_default_role),
            absence=timedelta(days=settings.oidc_absence_days),
        )

    def owner_of(self, claims: Claims) -> str:
        """Whose what they make is. Raises `ValueError` with what is wrong with the claim, as a clause."""
        value = _find(claims, self.owner_claim)
        if not isinstance(value, str) or not value.strip():
            raise ValueError("is not there, or no text")
        # Some issuers take any address, and then say nothing of it.
        if self.owner_claim == "email" and str(claims.get("email_verified")).lower() != "true":
            raise ValueError("is not verified: anybody may have written it")
        try:
            return _OWNER.validate_python(self.owner_prefix + value)
        except ValidationError:
            raise ValueError("is not the name of an owner: 1 to 200 characters") from None

    def scopes_of(self, claims: Claims) -> frozenset[Scope]:
        """What they may do: all that any of their roles may."""
        held = set(_values(_find(claims, self.roles_claim)))
        roles = [role for value, role in self.roles if value in held]
        if not roles and self.default_role is not None:
            roles = [self.default_role]
        return frozenset[Scope]().union(*(role.scopes for role in roles))


def parts(text: str) -> list[str]:
    """Of a list with commas."""
    return [item for part in text.split(",") if (item := part.strip())]


def read_issuer(text: str) -> tuple[URL, Allowed]:
    """The URL of an issuer, which is its name at the same time, and where it is. Raises `ValueError` with a clause."""
    try:
        url = URL(text)
        host = f"[{url.raw_host}]" if ":" in str(url.raw_host) else url.raw_host
        place = Allowed.parse(f"{host}:{url.port}") if host else None
    except ValueError:
        url, place = URL(), None
    if place is None or url.scheme not in {"http", "https"} or url.raw_user or url.query_string or url.fragment:
        raise ValueError("must be the URL of an issuer, as it names itself in its tokens: https://id.example.com")
    if url.scheme == "http" and not _is_here(str(url.raw_host)):
        raise ValueError("must begin with https: whoever answers in its place can say who anybody is")
    return url, place


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _find(claims: Claims, path: str) -> Any:
    """A claim by its name, or one below another, as `realm_access.roles`."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _values(claim: Any) -> Iterable[str]:
    """Of a list; of an object its names; of a text its words, as in `scope`."""
    if isinstance(claim, str):
        return claim.split()
    return [value for value in claim if isinstance(value, str)] if isinstance(claim, list | dict) else []
