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


def provenance(
    record: BundledRecord, attempts: Sequence[BundledAttempt], files: Sequence[BundledFile], *, version: str
) -> dict[str, Any]:
    """The execution as an activity: what it used, what it made, and who was behind it."""
    execution, owner = f"tr:execution/{record.id}", f"tr:owner/{quote(record.owner)}"
    image, spec = "tr:image", "tr:submission"
    made = {f"tr:file/{quote(file.member)}": _file(file) for file in files}
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
            **made,
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
        "wasGeneratedBy": {
            f"_:made-{index}": {"prov:entity": each, "prov:activity": execution, "prov:time": _time(record.finished_at)}
            for index, each in enumerate(made)
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
