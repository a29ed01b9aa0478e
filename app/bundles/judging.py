"""Whether what was imported could have been submitted: all that is made of it, code and reruns too, relies on that."""

from __future__ import annotations

from pydantic import ValidationError

from app.bundles.reading import BadBundle
from app.executions.record import Record
from app.executions.requests import Submission
from app.executions.rerun_body import submitted
from app.methods.model import is_method


def check_submission(record: Record) -> None:
    """Raises `BadBundle`."""
    spec = record.spec
    asked = {**submitted(record), "resume_from": None, "secrets": dict.fromkeys(spec.secrets, "unknown")}
    try:
        Submission.model_validate(asked)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadBundle(f"`{where}`, of what was submitted, {first['msg']}.") from None
    if spec.method is not None and not is_method(f"{spec.method.name}@{spec.method.version}"):
        raise BadBundle("The method that it names is none.")
