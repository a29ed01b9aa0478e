"""The policy: what is allowed, for whom, and what speaks against a submission. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from app.auth.tokens import Scope
from app.errors import FieldError
from app.executions.caps import over
from app.executions.model import Limits, Network, Spec
from app.executions.vocabulary import RuntimeName, User
from app.policy.images import fits, is_pattern

ENGINES_OWN = "default"
NAMED_AT_MOST = 10


def _pattern(text: str) -> str:
    if not is_pattern(text):
        raise PydanticCustomError(
            "not_a_pattern", "must be a pattern for images, such as `python:3.*` or `ghcr.io/team/**`"
        )
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]
OwnerPattern = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Rules(BaseModel):
    """What may be asked for; of what is left out, anything that there is without a policy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    images: tuple[Pattern, ...] | None = None
    networks: tuple[Network, ...] | None = None
    runtimes: Annotated[tuple[RuntimeName, ...], Field(min_length=1)] | None = None
    limits: Limits = Limits()


class Entry(Rules):
    """Other rules for some: whoever is one of the owners, and has one of the scopes, where these are given."""

    owners: tuple[OwnerPattern, ...] | None = None
    scopes: tuple[Scope, ...] | None = None

    @model_validator(mode="after")
    def _for_somebody(self) -> Entry:
        if self.owners is None and self.scopes is None:
            raise PydanticCustomError("for_nobody", "must say whom it is for, by `owners` or by `scopes`")
        return self

    def is_for(self, owner: str, scopes: Collection[Scope]) -> bool:
        """Whether it is for this caller; `admin` has every scope."""
        # A bracket is a bracket: names may have some.
        patterns = [pattern.replace("[", "[[]") for pattern in self.owners or ()]
        named = self.owners is None or any(fnmatchcase(owner, pattern) for pattern in patterns)
        return named and (self.scopes is None or Scope.ADMIN in scopes or not set(self.scopes).isdisjoint(scopes))


class Container(BaseModel):
    """What every container gets, whatever was asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    read_only: StrictBool = False
    user: User | None = None


class Policy(Rules):
    """All of it: rules for everybody, others for some, and what every container gets."""

    container: Container = Container()
    for_: tuple[Entry, ...] = Field(default=(), alias="for")

    def of(self, owner: str, scopes: Collection[Scope]) -> Allowed:
        """What somebody may ask for. The first entry that is for them counts; what it leaves out, the top says."""
        entry = next((each for each in self.for_ if each.is_for(owner, scopes)), Rules())
        caps = {**_caps(self.limits), **_caps(entry.limits)}
        return Allowed(
            images=self.images if entry.images is None else entry.images,
            networks=self.networks if entry.networks is None else entry.networks,
            runtimes=(self.runtimes if entry.runtimes is None else entry.runtimes) or (ENGINES_OWN,),
            caps={name: cap for name, cap in caps.items() if cap is not None},
        )


def _caps(limits: Limits) -> dict[str, Any]:
    return {name: getattr(limits, name) for name in limits.model_fields_set}


NO_POLICY = Policy()


@dataclass(frozen=True, slots=True)
class Allowed:
    """What one caller may ask for; None is anything. `caps` are the most of some limits."""

    images: tuple[str, ...] | None
    networks: tuple[Network, ...] | None
    runtimes: tuple[str, ...]
    caps: Mapping[str, float]

    def runtime_for(self, spec: Spec) -> str | None:
        """The runtime that it gets: what it asks for, else the engine's own if that is allowed, else the first.

        None is the engine's own, which knows it by no name.
        """
        first = ENGINES_OWN if ENGINES_OWN in self.runtimes else self.runtimes[0]
        wanted = spec.runtime or first
        return None if wanted == ENGINES_OWN else wanted

    def refuse(self, spec: Spec) -> list[FieldError]:
        """What speaks against it, field by field."""
        wrong = []
        if self.images is not None and not any(fits(pattern, spec.image) for pattern in self.images):
            wrong.append(_refused("image", f"`{spec.image}`", self.images))
        if self.networks is not None and spec.network not in self.networks:
            wrong.append(_refused("network", f"`{spec.network}`", self.networks))
        if spec.runtime is not None and spec.runtime not in self.runtimes:
            wrong.append(_refused("runtime", f"`{spec.runtime}`", self.runtimes))
        return wrong

    def exceed(self, limits: Limits) -> list[FieldError]:
        """Which limits are beyond the most that is allowed, now that it leaves the queue."""
        return [
            over(name, value, cap, "over_policy")
            for name, cap in self.caps.items()
            if name != "queue_timeout" and ((value := getattr(limits, name)) is None or value > cap)
        ]


def _refused(field: str, what: str, allowed: Collection[str]) -> FieldError:
    named = ", ".join(f"`{each}`" for each in list(allowed)[:NAMED_AT_MOST]) or "none"
    more = f" and {len(allowed) - NAMED_AT_MOST} more" if len(allowed) > NAMED_AT_MOST else ""
    return FieldError(field, "against_policy", f"may not be {what} by the policy here; allowed: {named}{more}")
