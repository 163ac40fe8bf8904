"""A build, a change of a store, or a transpose, cut into tasks, which any scheduler may run: on other machines, again
after they failed, and twice at once.

    plan = transect.tasks.plan("features", "panel.store", staging="panel.staging", parts=64, bands=64)
    transect.tasks.run(plan, map=pool.map)

`run` takes any `map`: that of a pool of processes here, or one that hands tasks to a cluster (see `transect.dask`).
Whoever has a scheduler of another kind runs `transect task` in the order of formats/tasks.md, or `do`. Corrupt,
FormatVersion, NotFound and Refused come again however often a task is tried; what else is raised may be cured so.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from . import _transect
from ._change import append, build, parted, path_of, transpose, transpose_options, update
from ._errors import Corrupt, FormatVersion, NotFound, Refused, TransectError
from ._options import number, options_of
from ._progress import watcher
from ._reports import BuildReport, TransposeReport, UpdateReport, finish, parsed
from ._store import Path, Progress, Store, open
from ._write import add_source, adding_options

__all__ = ["do", "plan", "plan_add_source", "plan_append", "plan_transpose", "plan_update", "run"]

# What is as it is, however often it is tried.
_LASTING = (Corrupt, FormatVersion, NotFound, Refused)


def _check(options: dict[str, Any], of: Callable[..., Any], *but: str) -> None:
    """Refuses options that `of` has not, as Python does."""
    for name in options:
        if name in but or name not in (of.__kwdefaults__ or {}):
            raise TypeError(f"tasks of transect.{of.__name__} got an unexpected keyword argument {name!r}")


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

    >>> plan = transect.tasks.plan("features", "other.store", staging="staging", parts=2, bands=2, exclude=["industry"])
    >>> plan
    'staging/plan.json'
    >>> transect.tasks.run(plan).columns
    5
    """
    _check(options, build, "force")
    paths = os.fsdecode(source), os.fsdecode(store), os.fsdecode(staging)
    counts = number("parts", parts), number("bands", bands)
    with watcher(progress) as watch:
        report = _transect.plan_tasks(*paths, counts, options_of(options), watch)
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

    >>> transect.tasks.plan_update("panel.store", staging="night") is None
    True
    >>> import polars as pl
    >>> path = "features/600519.SH.parquet"
    >>> pl.read_parquet(path).with_columns(pl.col("close") / 2).write_parquet(path)
    >>> plan = transect.tasks.plan_update("panel.store", staging="night", parts=1, bands=2)
    >>> transect.tasks.run(plan).restated
    3
    """
    _check(options, update)
    counts = number("parts", parts), number("bands", bands)
    with watcher(progress) as watch:
        report = _transect.plan_update(path_of(store), os.fsdecode(staging), counts, options_of(options), watch)
    planned = parsed(report)["plan"]
    return None if planned is None else str(planned)


def plan_add_source(
    store: Path | Store,
    source: Path,
    *,
    staging: Path,
    parts: int = 64,
    bands: int = 64,
    progress: Progress = None,
    **options: Any,
) -> str:
    """Lists the files of a folder that is to become a source of a store, and cuts the work as `plan_update` does. The
    path of the plan, in `staging`, a directory for this plan alone on the store's file system.

    `options` are those of `transect.add_source` but `dry_run`; `memory` is what each task may take.

    >>> given = {"name": "more", "prefix": "m_", "columns": ["close"]}
    >>> plan = transect.tasks.plan_add_source("panel.store", "features", staging="more", parts=2, bands=2, **given)
    >>> transect.tasks.run(plan).new_columns
    ['m_close']
    """
    _check(options, add_source)
    paths = os.fsdecode(source), os.fsdecode(staging)
    counts = number("parts", parts), number("bands", bands)
    with watcher(progress) as watch:
        report = _transect.plan_add_source(path_of(store), paths, counts, adding_options(options), watch)
    return str(parsed(report)["plan"])


def plan_append(
    store: Path | Store,
    files: Path | Sequence[Path],
    *,
    staging: Path,
    parts: int = 64,
    bands: int = 64,
    progress: Progress = None,
    **options: Any,
) -> str:
    """Lists per-date files whose rows are to be appended, and cuts the work as `plan_update` does. The path of the plan, in
    `staging`, a directory for this plan alone on the store's file system.

    `options` are those of `transect.append` but `dry_run`; `memory` is what each task may take.

    >>> day = transect.open("panel.store").section("2024-01-03").to_polars()
    >>> day.with_columns(day["close"] * 2).write_parquet("20240103.parquet")
    >>> plan = transect.tasks.plan_append("panel.store", "20240103.parquet", staging="by hand", parts=1, bands=1)
    >>> transect.tasks.run(plan).restated
    3
    """
    _check(options, append)
    paths, rows = parted(files)
    if rows is not None:
        raise Refused("tasks append the rows of files; give their paths")
    counts = number("parts", parts), number("bands", bands)
    with watcher(progress) as watch:
        report = _transect.plan_append(
            path_of(store), (paths, os.fsdecode(staging)), counts, options_of(options), watch
        )
    return str(parsed(report)["plan"])


def plan_transpose(
    store: Path | Store, out: Path, *, staging: Path, parts: int = 64, progress: Progress = None, **options: Any
) -> str:
    """Lists the files that are not current, and cuts them into `parts`. The path of the plan, in `staging`, a directory
    for this plan alone on the file system of `out`.

    `options` are those of `transect.transpose`; a `universe` is a column, and `memory` what each task may take.

    >>> plan = transect.tasks.plan_transpose(store, "by_date", staging="files", parts=2, start="2024-01-04")
    >>> transect.tasks.run(plan).written
    2
    """
    _check(options, transpose)
    opened = store if isinstance(store, Store) else open(store)
    universe = options.pop("universe", None)
    members = None if universe is None else opened._members(universe)
    paths, count = (os.fsdecode(out), os.fsdecode(staging)), number("parts", parts)
    with watcher(progress) as watch:
        report = _transect.plan_transpose(opened._raw, paths, count, members, transpose_options(options), watch)
    return str(parsed(report)["plan"])


def run(
    plan: Path,
    map: Callable[..., Iterable[Any]] = map,
    *,
    out: Path | None = None,
    wait: datetime.timedelta | int | str | None = None,
) -> BuildReport | UpdateReport | TransposeReport:
    """Runs all tasks of a plan by `map`, which calls a function with each of some arguments, here or elsewhere, and
    returns the results in any order. What was done before is not done again. `wait` says how long to wait for another
    writer (`"10m"`). Of a build, the files of dates go to `out` too, as `transect.transpose` writes them by its defaults,
    without being read once more. Raises what a task raised, and Guarded where the store would look broken.

    >>> import concurrent.futures
    >>> plan = transect.tasks.plan("features", "other.store", staging="staging", parts=3, bands=2)
    >>> with concurrent.futures.ThreadPoolExecutor(2) as pool:
    ...     transect.tasks.run(plan, map=pool.map, out="by_date").rows
    11
    >>> transect.transpose("other.store", "by_date").unchanged_files
    4
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
    if out is not None and of != "store":
        raise Refused("only a build has its files sealed with it; plan_transpose writes those of a version")
    if of == "output":
        each("write", range(parts))
        return TransposeReport(parsed(*each("commit output", [options_of({"wait": wait})])))
    each("gather", range(parts))
    if of in ("update", "add_source", "append"):
        each("assemble update", [None])
        each("compare", range(bands))
        each("seal", range(bands))
        told = parsed(*each("commit update", [options_of({"wait": wait})]))
        return finish(UpdateReport(told), f"tasks.plan_{of}")
    if assembled := parsed(*each("assemble", [None])):
        # What was left out is told once: by the commit, or by what stops before it.
        is_stopped = any(not guard.allowed for guard in BuildReport(assembled).guards)
        finish(BuildReport(assembled if is_stopped else assembled | {"skipped": []}), "tasks.plan")
    if out is None:
        each("seal", range(bands))
    else:
        each("seal with files", [(band, os.path.abspath(out)) for band in range(bands)])
    return finish(BuildReport(parsed(*each("commit", [options_of({"wait": wait})]))), "tasks.plan")


def do(task: tuple[str, str, Any]) -> Any:
    """Does a task, which is its name, the plan and a number: what it tells, or the error that no further try would
    cure. Another error is raised.

    >>> plan = transect.tasks.plan("features", "other.store", staging="staging", parts=2, bands=2)
    >>> transect.tasks.do(("count", plan, None))
    ('store', 2, 2)
    >>> '"was_done":false' in transect.tasks.do(("gather", plan, 1))
    True
    """
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
            case "seal with files":
                return _transect.seal_with_files(plan, *argument)
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
