import pytest
from pydantic import ValidationError

from app.executions.model import Limits, Retries, Spec, Stored


@pytest.mark.parametrize("value", [Spec(image="busybox"), Limits(cpus=2.0), Retries(max_attempts=3)])
def test_what_a_newer_version_kept_can_be_read_while_versions_change(value: Stored) -> None:
    kept = value.model_dump(mode="json")
    assert type(value).read(kept | {"known_to_later_versions": 1}) == value
    with pytest.raises(ValidationError, match="known_to_later_versions"):
        type(value)(**kept, known_to_later_versions=1)
