"""The tables of the fake server are those of the real one."""

import subprocess
import sys

import contract

from app.batches.model import status_of
from app.batches.requests import BatchSubmission
from app.executions import operations, states
from app.executions.causes import EXPLANATIONS
from app.executions.model import Limits
from app.executions.operations import Operation, Standing
from app.executions.requests import Submission
from app.executions.states import Status
from app.methods.document import OWN, PRESET, Document
from tailrace.testing import batch, method, submission
from tailrace.testing.states import ANSWERS, CAUSES, HINTS, MOVES, STANDINGS, status_of_batch

MARKS = {"done": "+", "same": "=", "refused": "-"}


def test_statuses_moves_and_causes() -> None:
    assert {status: set(following) for status, following in states.NEXT.items()} == MOVES
    assert list(MOVES) == list(Status)
    assert {cause: (states.STATUS_OF[cause], why.hint) for cause, why in EXPLANATIONS.items()} == CAUSES


def test_what_can_be_asked_when() -> None:
    assert list(Standing) == list(STANDINGS)
    real = {
        operation: {standing: MARKS[answer] for standing, answer in row.items()}
        for operation, row in operations.ANSWERS.items()
        if operation is not Operation.FORCE_CANCEL
    }
    assert real == ANSWERS
    assert {name: operations._HINTS[Operation(name)] for name in HINTS} == HINTS


def test_fields_and_defaults() -> None:
    assert list(submission.FIELDS) == list(Submission.model_fields)
    assert submission.submission({"image": "x"}) == {
        **Submission(image="x").model_dump(mode="json", exclude={"retry_on", "outputs", "webhooks"}),
        "retry_on": [],
        "outputs": [],
        "webhooks": [],
    }
    assert Limits().model_dump(mode="json") == submission.LIMITS
    assert set(BatchSubmission.model_fields) == batch._FIELDS.keys()
    assert (method.OWN, method._PRESET) == (OWN, PRESET)
    assert Document.model_fields.keys() == method._OF_DOCUMENT


def test_a_batch_is_what_its_children_have_in_common() -> None:
    statuses = list(Status)
    for one in statuses:
        for other in statuses:
            real = status_of({each: [one, other].count(each) for each in statuses})
            assert status_of_batch([one, other]) == real


def test_nothing_of_it_is_imported_unasked() -> None:
    program = "import sys, tailrace; print([name for name in sys.modules if name.startswith('tailrace.testing')])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b"[]\n"


def test_every_schema_of_an_answer_is_closed() -> None:
    """So that what the fake says too much is noticed."""
    closed = [name for name, schema in contract.document()["components"]["schemas"].items() if "properties" in schema]
    assert len(closed) > 50
