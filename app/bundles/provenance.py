"""What came from what, as W3C PROV-JSON (https://www.w3.org/submissions/prov-json/). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from app.artifacts.model import Kind
from app.bundles.document import BundledAttempt, BundledFile, BundledRecord

_PREFIXES = {"tr": "urn:tailrace:", "prov": "http://www.w3.org/ns/prov#", "xsd": "http://www.w3.org/2001/XMLSchema#"}
_SOFTWARE = "tr:software"


def provenance(record: BundledRecord, attempts: Sequence[BundledAttempt], *, version: str) -> dict[str, Any]:
    """The execution as an activity: what it used, and who was behind it. What it made is still to come."""
    execution, owner = f"tr:execution/{record.id}", f"tr:owner/{quote(record.owner)}"
    image, spec = "tr:image", "tr:submission"
    before = {
        f"tr:execution/{each}": role
        for each, role in ((record.lineage.resumed_from, "checkpoint"), (record.lineage.rerun_of, "rerun"))
        if each is not None
    }
    return {
        "prefix": _PREFIXES,
        "entity": {
            image: {
                "prov:label": record.spec.image,
                "tr:id": record.image_id or "",
                "tr:digest": record.image_digest or "",
            },
            spec: {"prov:label": record.name or str(record.id)},
        },
        "activity": {
            execution: {
                "prov:startTime": _time(record.started_at or record.queued_at),
                "prov:endTime": _time(record.finished_at),
                "prov:label": record.name or str(record.id),
                "tr:status": record.status,
                "tr:cause": record.cause,
                "tr:attempts": len(attempts),
            },
            **{each: {} for each in before},
        },
        "agent": {
            owner: {"prov:label": record.owner},
            _SOFTWARE: {"prov:type": {"$": "prov:SoftwareAgent", "type": "prov:QUALIFIED_NAME"}, "tr:version": version},
        },
        "used": {
            "_:used-image": {"prov:activity": execution, "prov:entity": image},
            "_:used-submission": {"prov:activity": execution, "prov:entity": spec},
        },
        "wasAssociatedWith": {
            "_:by-owner": {"prov:activity": execution, "prov:agent": owner},
            "_:by-software": {"prov:activity": execution, "prov:agent": _SOFTWARE},
        },
        "wasAttributedTo": {"_:submitted-by": {"prov:entity": spec, "prov:agent": owner}},
        "actedOnBehalfOf": {"_:for-owner": {"prov:delegate": _SOFTWARE, "prov:responsible": owner}},
        "wasInformedBy": {
            f"_:after-{role}": {"prov:informed": execution, "prov:informant": each} for each, role in before.items()
        },
    }


def made(record: BundledRecord, file: BundledFile, number: int) -> dict[str, dict[str, Any]]:
    """What it made of a file: of the objects of that name."""
    entity = f"tr:file/{quote(file.member)}"
    generation = {
        "prov:entity": entity,
        "prov:activity": f"tr:execution/{record.id}",
        "prov:time": _time(record.finished_at),
    }
    return {"entity": {entity: _file(file)}, "wasGeneratedBy": {f"_:made-{number}": generation}}


def _file(file: BundledFile) -> dict[str, Any]:
    return {
        "prov:label": file.path,
        "tr:kind": "checkpoint" if file.kind is Kind.CHECKPOINT else "output",
        "tr:bytes": file.bytes,
        "tr:sha256": file.sha256,
        "tr:mediaType": file.media_type,
    }


def _time(at: datetime) -> str:
    return at.isoformat()
