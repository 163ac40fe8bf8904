"""A build, an update, or a transpose, cut into tasks, which any scheduler may run: on other machines, again after they
failed, and twice at once.

    plan = transect.tasks.plan("features", "panel.store", staging="panel.staging", parts=64, bands=64)
    transect.tasks.run(plan, map=pool.map)

`run` takes any `map`: that of a pool of processes here, or one that hands tasks to a cluster (see `transect.dask`).
Whoever has a scheduler of another kind runs `transect task` in the order of formats/tasks.md, or `do`. Corrupt,
FormatVersion, NotFound and Refused come again however often a task is tried; what else is raised may be cured so.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from . import _transect
from ._change import options_of, path_of, transpose_options
from ._errors import Corrupt, FormatVersion, NotFound, Refused, TransectError
from ._progress import watcher
from ._reports import BuildReport, TransposeReport, UpdateReport, finish, parsed
from ._store import Path, Progress, Store, open

__all__ = ["do", "plan", "plan_transpose", "plan_update", "run"]

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


def plan_update(
    store: Path | Store,
    *,
    staging: Path,
    parts: int = 64,
    bands: int = 64,
    progress: Progress = None,
    **options: Any,
) -> str | None:
    """Looks which files of a source are not as they were, and cuts the work into `parts` that are read and `bands` of dates
    that are compared and written. The path of the plan, in `staging`, a directory for this plan alone on the store's file
    system; None where all is as it was.

    `options` are those of `transect.update` but those that change how files are read, `expect` and `dry_run`; of several
    sources `sources` names one, and `memory` is what each task may take.
    """
    with watcher(progress) as watch:
        report = _transect.plan_update(path_of(store), staging, (parts, bands), options_of(options), watch)
    planned = parsed(report)["plan"]
    return None if planned is None else str(planned)


def plan_transpose(
    store: Path | Store, out: Path, *, staging: Path, parts: int = 64, progress: Progress = None, **options: Any
) -> str:
    """Lists the files that are not current, and cuts them into `parts`. The path of the plan, in `staging`, a directory
    for this plan alone on the file system of `out`.

    `options` are those of `transect.transpose`; a `universe` is a column, and `memory` what each task may take.
    """
    opened = store if isinstance(store, Store) else open(store)
    universe = options.pop("universe", None)
    members = None if universe is None else opened._members(universe)
    with watcher(progress) as watch:
        report = _transect.plan_transpose(
            opened._raw, (out, staging), parts, members, transpose_options(options), watch
        )
    return str(parsed(report)["plan"])


def run(
    plan: Path, map: Callable[..., Iterable[Any]] = map, *, wait: str | None = None
) -> BuildReport | UpdateReport | TransposeReport:
    """Runs all tasks of a plan by `map`, which calls a function with each of some arguments, here or elsewhere, and
    returns the results in any order. What was done before is not done again. `wait` says how long to wait for another
    writer (`"10m"`). Raises what a task raised, and Guarded where the store would look broken.
    """
    path = os.path.abspath(plan)

    def each(what: str, arguments: Iterable[Any]) -> list[Any]:
        told = []
        for result in map(do, [(what, path, argument) for argument in arguments]):
            if isinstance(result, TransectError):
                raise result
            told.append(result)
        return told

    [(of, parts, bands)] = each("count", [None])
    if of == "output":
        each("write", range(parts))
        return TransposeReport(parsed(*each("commit output", [options_of({"wait": wait})])))
    each("gather", range(parts))
    if of == "update":
        each("assemble update", [None])
        each("compare", range(bands))
        each("seal", range(bands))
        told = parsed(*each("commit update", [options_of({"wait": wait})]))
        return finish(UpdateReport(told), "tasks.plan_update")
    # What was left out is told once, by the commit.
    if assembled := parsed(*each("assemble", [None])):
        finish(BuildReport(assembled | {"skipped": []}), "tasks.plan")
    each("seal", range(bands))
    return finish(BuildReport(parsed(*each("commit", [options_of({"wait": wait})]))), "tasks.plan")


def do(task: tuple[str, str, Any]) -> Any:
    """Does a task, which is its name, the plan and a number: what it tells, or the error that no further try would
    cure. Another error is raised."""
    what, plan, argument = task
    try:
        match what:
            case "count":
                return _transect.count_tasks(plan)
            case "gather":
                return _transect.gather(plan, argument)
            case "assemble":
                return _transect.assemble(plan)
            case "assemble update":
                return _transect.assemble_update(plan)
            case "compare":
                return _transect.compare(plan, argument)
            case "seal":
                return _transect.seal(plan, argument)
            case "write":
                return _transect.write_part(plan, argument)
            case "commit update":
                return _transect.commit_update(plan, argument)
            case "commit output":
                return _transect.commit_output(plan, argument)
            case _:
                return _transect.commit(plan, argument)
    except _LASTING as error:
        return error
