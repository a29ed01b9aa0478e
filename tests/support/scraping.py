"""Metrics as Prometheus reads them."""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from support.running import Running


@dataclass(frozen=True)
class Scrape:
    """What one scrape said."""

    samples: list[Sample] = field(repr=False)

    @classmethod
    def of(cls, text: str) -> Scrape:
        return cls([sample for family in text_string_to_metric_families(text) for sample in family.samples])

    def __getitem__(self, name: str) -> float:
        """All series of a name, added up."""
        return self.sum(name)

    def sum(self, name: str, **labels: str) -> float:
        """The series of a name with these labels and any others, added up; 0 if there are none."""
        wanted = labels.items()
        return sum(sample.value for sample in self.samples if sample.name == name and wanted <= sample.labels.items())

    def labels(self, name: str) -> list[dict[str, str]]:
        """Those of every series of a name."""
        return [sample.labels for sample in self.samples if sample.name == name]


async def scrape(client: httpx.AsyncClient) -> Scrape:
    """The metrics of an API."""
    answer = await client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return Scrape.of(answer.text)


async def scrape_api(installation: Running) -> Scrape:
    async with installation.client() as client:
        return await scrape(client)


async def ask_worker(port: str, path: str) -> httpx.Response:
    """The worker's own port."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        return await client.get(path)


async def scrape_worker(port: str) -> Scrape:
    answer = await ask_worker(port, "/metrics")
    assert answer.status_code == 200, answer.text
    return Scrape.of(answer.text)
