"""How often usage is sampled, and which samples of a long run are kept. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

# Seconds. The n-th tick of an attempt is the n-th such time since its start.
TICK = 5.0
SAMPLES_AT_MOST = 720
# Why there are no numbers: of an attempt that nobody measured; and where there never are.
UNMEASURED = {"cpu": "Nothing was measured: it has not started, or was over too soon."}
NOT_MEASURED = {"network": "It is not measured."}


def stride_at(tick: int) -> int:
    """Of how many ticks one is kept, for an attempt that has come to this one.

    It doubles whenever there would be more than `SAMPLES_AT_MOST`: an hour is kept whole, of a week every fifteenth
    minute. What is kept at one stride is kept at all smaller ones, so that nothing has to be there for good.
    """
    return 1 << (tick // SAMPLES_AT_MOST).bit_length()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a container had used at one moment, and used then; None where nobody could tell, and `missing` says why.

    `cores` is what it used since the sample before. `memory`, `memory_peak` and `disk` are bytes.
    """

    cpu_seconds: float | None = None
    cores: float | None = None
    memory: int | None = None
    memory_peak: int | None = None
    pids: int | None = None
    disk: int | None = None
    missing: dict[str, str] = field(default_factory=dict)
