"""A build cut into tasks, which any scheduler may run: on other machines, again after they failed, and twice at once.

    plan = transect.tasks.plan("features", "panel.store", staging="panel.staging", parts=64, bands=64)
    transect.tasks.run(plan, map=pool.map)

`run` takes any `map`: that of a pool of processes here, or one that hands tasks to a cluster (see `transect.dask`).
Whoever has a scheduler of another kind runs `gather`, `assemble`, `seal` and `commit` in their order; formats/tasks.md
says what they may rely on. Corrupt, FormatVersion, NotFound and Refused come again however often a task is tried; what
else is raised may be cured so.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from . import _transect
from ._change import options_of
from ._errors import Corrupt, FormatVersion, NotFound, Refused, TransectError
from ._progress import watcher
from ._reports import BuildReport, Report, finish, parsed
from ._store import Path, Progress

__all__ = ["assemble", "commit", "do", "gather", "plan", "run", "seal"]

# What is as it is, however often it is tried.
_LASTING = (Corrupt, FormatVersion, NotFound, Refused)


def plan(
    source: Path,
    store: Path,
    *,
    staging: Path,
    parts: int = 64,
    bands: int = 64,
    progress: Progress = None,
    **options: Any,
) -> str:
    """Lists the files, agrees on their columns, and cuts the work into `parts` that are read and `bands` of dates that
    are written. The path of the plan, in `staging`, a directory for this plan alone on the store's file system.

    `options` are those of `transect.build`, but `force`; `memory` is what each task may take.
    """
    with watcher(progress) as watch:
        report = _transect.plan_tasks(source, store, staging, (parts, bands), options_of(options), watch)
    return str(parsed(report)["plan"])


def gather(plan: Path, part: int) -> Report:
    """Reads the files of a part, counted from 0."""
    return Report(parsed(_transect.gather(os.fspath(plan), part)))


def assemble(plan: Path) -> BuildReport | None:
    """Decides, once all parts are there, what depends on all of them. What the store will hold; None where that was
    told before. Raises Guarded where it looks broken."""
    return _assembled(_transect.assemble(os.fspath(plan)))


def seal(plan: Path, band: int) -> Report:
    """Writes the segments of a band, counted from 0, once the parts are assembled."""
    return Report(parsed(_transect.seal(os.fspath(plan), band)))


def commit(plan: Path, *, wait: str | None = None) -> BuildReport:
    """Publishes the store, once all bands are there. `wait` says how long to wait for another writer (`"10m"`)."""
    return _committed(_transect.commit(os.fspath(plan), options_of({"wait": wait})))


def run(plan: Path, map: Callable[..., Iterable[Any]] = map, *, wait: str | None = None) -> BuildReport:
    """Runs all tasks of a plan by `map`, which calls a function with each of some arguments, here or elsewhere, and
    returns the results in any order. What was done before is not done again."""
    path = os.path.abspath(plan)

    def each(what: str, arguments: Iterable[Any]) -> list[Any]:
        told = []
        for result in map(do, [(what, path, argument) for argument in arguments]):
            if isinstance(result, TransectError):
                raise result
            told.append(result)
        return told

    [(parts, bands)] = each("count", [None])
    each("gather", range(parts))
    _assembled(*each("assemble", [None]))
    each("seal", range(bands))
    return _committed(*each("commit", [options_of({"wait": wait})]))


def do(task: tuple[str, str, Any]) -> Any:
    """Does a task: what it tells, or the error that no further try would cure. Another error is raised."""
    what, plan, argument = task
    try:
        match what:
            case "count":
                return _transect.count_tasks(plan)
            case "gather":
                return _transect.gather(plan, argument)
            case "assemble":
                return _transect.assemble(plan)
            case "seal":
                return _transect.seal(plan, argument)
            case _:
                return _transect.commit(plan, argument)
    except _LASTING as error:
        return error


def _assembled(told: str) -> BuildReport | None:
    report = parsed(told)
    if report is None:
        return None
    # What was left out is told once, by the commit.
    return finish(BuildReport(report | {"skipped": []}), "tasks.plan") and BuildReport(report)


def _committed(told: str) -> BuildReport:
    return finish(BuildReport(parsed(told)), "tasks.plan")
