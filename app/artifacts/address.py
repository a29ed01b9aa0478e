"""Where the store of files is, as a setting says. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from yarl import URL


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of S3, or of what speaks like it, and what all keys in it begin with. Credentials are not in here."""

    name: str
    prefix: str
    endpoint: str | None
    region: str | None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """`s3://bucket/prefix?endpoint=https://s3.example:9000&region=eu-1`; None for nothing. Raises `ValueError`."""
        if not text:
            return None
        url = URL(text)
        if url.scheme != "s3" or not url.raw_host or url.raw_user is not None or url.explicit_port is not None:
            raise ValueError("must be s3://bucket/prefix, with `endpoint` and `region` as parameters")
        unknown = sorted(url.query.keys() - {"endpoint", "region"})
        if unknown:
            raise ValueError(f"has a parameter that is none: {unknown[0]}")
        endpoint = url.query.get("endpoint")
        if endpoint is not None and URL(endpoint).scheme not in {"http", "https"}:
            raise ValueError("must have an endpoint of http or https")
        return cls(url.raw_host, url.path.strip("/"), endpoint, url.query.get("region"))
