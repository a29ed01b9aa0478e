"""What is shown of the stages of one attempt while they run: the phase of its record, a line of its log for each."""

from __future__ import annotations

from app.executions.model import Lease
from app.executions.record import Record
from worker import ledger, sentences
from worker.context import WorkerContext
from worker.stages import Course, StageName, read_course
from worker.story import Story
from worker.told import Step
from worker.workspace import Workspace

STEPS = {StageName.SETUP: Step.SETUP, StageName.MAIN: Step.MAIN, StageName.TEARDOWN: Step.TEARDOWN}


class StageWatch:
    """Follows the stages, if there are any. `course` is how far they had come at the last look."""

    def __init__(
        self, context: WorkerContext, lease: Lease, record: Record, workspace: Workspace, story: Story
    ) -> None:
        self._context = context
        self._lease = lease
        self._has_stages = record.spec.has_stages
        self._workspace = workspace
        self._story = story
        self._shown: StageName | None = None
        self.course = Course()

    @property
    def phase(self) -> str:
        """What the record says of a container that runs."""
        return self.course.stage or "running"

    def main_has_ended(self) -> bool:
        """Whether the main command has ended, as the file says now: then the teardown has what is left of the grace."""
        return self._has_stages and read_course(self._workspace.stages).main is not None

    async def look(self, *, frozen: bool) -> None:
        """Tell what has begun since; while it is `frozen` the phase says that."""
        if not self._has_stages:
            return
        self.course = read_course(self._workspace.stages).covered(self._story.cover)
        for stage in self.course.begun:
            self._story.once(STEPS[stage], sentences.of_stage(stage))
        if frozen:
            self._shown = None
        elif self.course.stage is not self._shown:
            self._shown = self.course.stage
            await self._context.commit(lambda connection: ledger.set_phase(connection, self._lease, self.phase))
