"""A progress bar while one waits, in terminals and notebooks. Elsewhere there is none."""

from __future__ import annotations

from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

    from tailrace._nouns import BatchRecord
    from tailrace._records import Record


class Bar:
    """Shows each record that it is given."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

        console = Console(stderr=True)
        self._cell = _Cell() if console.is_jupyter else None
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, record: Record | BatchRecord) -> None:
        """How it stands."""
        if self._cell is not None:
            self._cell.show(record)
            return
        percent = percent_of(record)
        total = None if percent is None and not record.ended else 100
        name = record.name or record.id
        self._progress.update(self._task, description=f"{name}: {told(record)}", total=total, completed=percent or 0)


class _Cell:
    """What a notebook shows of a record, in one place below the cell. Rich shows nothing there without ipywidgets."""

    def __init__(self) -> None:
        self._place: Any = None

    def show(self, record: Record | BatchRecord) -> None:
        from tailrace._html import shown

        bundle = {"text/html": shown(record), "text/plain": f"{record.name or record.id}: {told(record)}"}
        if self._place is None:
            self._place = import_module("IPython.display").display(bundle, raw=True, display_id=True)
        else:
            self._place.update(bundle, raw=True)


def percent_of(record: Record | BatchRecord) -> int | None:
    """0 to 100; None if nobody knows."""
    if record.status == "succeeded":
        return 100
    said = record.progress
    return said.percent if said is not None else None


def told(record: Record | BatchRecord) -> str:
    """What it does, in two words."""
    phase = getattr(record.progress, "phase", None)
    return f"{record.status}, {phase}" if phase and not record.ended else record.status
