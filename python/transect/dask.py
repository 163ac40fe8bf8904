"""Builds, changes and transposes by the workers of a Dask cluster: here, or by dask-jobqueue of Slurm, PBS and LSF.

    client = distributed.Client(cluster)                    # or distributed.Client(), of workers here
    transect.dask.build(client, "/shared/features", "/shared/panel.store", parts=64, bands=64, memory="1GiB")
    transect.dask.update(client, "/shared/panel.store", parts=64, bands=64)
    transect.dask.add_source(client, "/shared/panel.store", "/shared/factors/value", prefix="{source}_")
    transect.dask.append(client, "/shared/panel.store", ["/shared/days/20240103.parquet"])
    transect.dask.transpose(client, "/shared/panel.store", "/shared/by_date", parts=64)

Source, store and staging directory lie where all workers reach them by the same path. A worker runs as many tasks at
once as it has threads, each of them one thread and of the plan's memory.
"""

from __future__ import annotations

import datetime
import functools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from . import tasks
from ._options import PATHS
from ._progress import watcher
from ._reports import BuildReport, TransposeReport, UpdateReport
from ._store import Path, Progress

__all__ = ["add_source", "append", "build", "run", "transpose", "update"]


def build(
    client: Any,
    source: Path,
    store: Path,
    *,
    staging: Path | None = None,
    parts: int = 64,
    bands: int = 64,
    retries: int = 3,
    out: Path | None = None,
    wait: datetime.timedelta | int | str | None = None,
    progress: Progress = None,
    **options: Any,
) -> BuildReport:
    """Makes the store that `transect.build` makes, by tasks on the workers of `client`, and the files of its dates where
    `out` is given. Options are those of `transect.tasks.plan`; `staging` is `STORE.staging` where it is not given.

    A task that fails is tried again `retries` times where that may help, and that of a worker that was lost by another.
    Raises what the task raised. What was done stays in the staging directory: `run` goes on from there, and
    `transect gc STORE --staging` clears it away by age.

    >>> report = transect.dask.build(client, "features", "other.store", parts=2, bands=2, exclude=["industry"])
    >>> report.rows, report.columns
    (11, 5)
    """
    places = [os.path.abspath(path) for path in (source, store, staging or f"{os.fsdecode(store)}.staging")]
    planning = functools.partial(tasks.plan, *places[:2], staging=places[2], parts=parts, bands=bands, **options)
    plan = client.submit(planning, pure=False).result()
    report = run(client, plan, retries=retries, out=out, wait=wait, progress=progress)
    assert isinstance(report, BuildReport)
    return report


def update(
    client: Any,
    store: Path,
    *,
    staging: Path | None = None,
    parts: int = 64,
    bands: int = 64,
    retries: int = 3,
    wait: datetime.timedelta | int | str | None = None,
    progress: Progress = None,
    **options: Any,
) -> UpdateReport | None:
    """Makes the version that `transect.update` makes, by tasks on the workers of `client`; None where all is as it was.
    Options are those of `transect.tasks.plan_update`; `staging` is `STORE.staging-TIME` where it is not given. Else as
    `build`.

    >>> transect.dask.update(client, "panel.store") is None
    True
    """
    place = _place(staging, store)
    planning = functools.partial(
        tasks.plan_update, os.path.abspath(store), staging=place, parts=parts, bands=bands, **options
    )
    plan = client.submit(planning, pure=False).result()
    if plan is None:
        return None
    report = run(client, plan, retries=retries, wait=wait, progress=progress)
    assert isinstance(report, UpdateReport)
    return report


def add_source(
    client: Any,
    store: Path,
    source: Path,
    *,
    staging: Path | None = None,
    parts: int = 64,
    bands: int = 64,
    retries: int = 3,
    wait: datetime.timedelta | int | str | None = None,
    progress: Progress = None,
    **options: Any,
) -> UpdateReport:
    """Makes the version that `transect.add_source` makes of a folder, by tasks on the workers of `client`. Options are
    those of `transect.tasks.plan_add_source`; `staging` is `STORE.staging-TIME` where it is not given. Else as `build`.

    >>> given = {"name": "more", "prefix": "m_", "columns": ["close"]}
    >>> transect.dask.add_source(client, "panel.store", "features", parts=2, bands=2, **given).new_columns
    ['m_close']
    """
    places, place = (os.path.abspath(store), os.path.abspath(source)), _place(staging, store)
    planning = functools.partial(
        tasks.plan_add_source, *places, staging=place, parts=parts, bands=bands, **options
    )
    plan = client.submit(planning, pure=False).result()
    report = run(client, plan, retries=retries, wait=wait, progress=progress)
    assert isinstance(report, UpdateReport)
    return report


def append(
    client: Any,
    store: Path,
    files: Path | Sequence[Path],
    *,
    staging: Path | None = None,
    parts: int = 64,
    bands: int = 64,
    retries: int = 3,
    wait: datetime.timedelta | int | str | None = None,
    progress: Progress = None,
    **options: Any,
) -> UpdateReport:
    """Makes the version that `transect.append` makes of per-date files, by tasks on the workers of `client`. Options are
    those of `transect.tasks.plan_append`; `staging` is `STORE.staging-TIME` where it is not given. Else as `build`.

    >>> day = transect.open("panel.store").section("2024-01-03").to_polars()
    >>> day.with_columns(day["close"] * 2).write_parquet("20240103.parquet")
    >>> transect.dask.append(client, "panel.store", "20240103.parquet", parts=1, bands=1).restated
    3
    """
    paths = [files] if isinstance(files, PATHS) else files
    given = [os.path.abspath(path) for path in paths]
    # Each part makes a file for each band, whatever it has.
    parts = max(1, min(parts, len(given)))
    planning = functools.partial(
        tasks.plan_append,
        os.path.abspath(store),
        given,
        staging=_place(staging, store),
        parts=parts,
        bands=bands,
        **options,
    )
    plan = client.submit(planning, pure=False).result()
    report = run(client, plan, retries=retries, wait=wait, progress=progress)
    assert isinstance(report, UpdateReport)
    return report


def transpose(
    client: Any,
    store: Path,
    out: Path,
    *,
    staging: Path | None = None,
    parts: int = 64,
    retries: int = 3,
    wait: datetime.timedelta | int | str | None = None,
    progress: Progress = None,
    **options: Any,
) -> TransposeReport:
    """Writes the files that `transect.transpose` writes, by tasks on the workers of `client`. Options are those of
    `transect.tasks.plan_transpose`; `staging` is `OUT.staging-TIME` where it is not given. Else as `build`.

    >>> transect.dask.transpose(client, "panel.store", "by_date", parts=2, end="2024-01-03").written
    2
    """
    places, place = (os.path.abspath(store), os.path.abspath(out)), _place(staging, out)
    planning = functools.partial(tasks.plan_transpose, *places, staging=place, parts=parts, **options)
    plan = client.submit(planning, pure=False).result()
    report = run(client, plan, retries=retries, wait=wait, progress=progress)
    assert isinstance(report, TransposeReport)
    return report


def _place(staging: Path | None, beside: Path) -> str:
    """The staging directory; a name that no plan before had, since a version may be planned from twice, as where a guard
    stopped what came of it."""
    now = time.strftime("%Y%m%dT%H%M%S", time.gmtime()) + f"-{os.urandom(3).hex()}"
    return os.path.abspath(staging or f"{os.fsdecode(beside)}.staging-{now}")


def run(
    client: Any,
    plan: Path,
    *,
    retries: int = 3,
    out: Path | None = None,
    wait: datetime.timedelta | int | str | None = None,
    progress: Progress = None,
) -> BuildReport | UpdateReport | TransposeReport:
    """Runs the tasks of a plan on the workers of `client`, but those that were done before; see `build`.

    >>> plan = transect.tasks.plan("features", "other.store", staging="staging", parts=2, bands=2)
    >>> transect.dask.run(client, plan, retries=1).rows
    11
    """
    from distributed import as_completed

    with watcher(progress) as watch:

        def each(function: Callable[[Any], Any], arguments: Iterable[Any]) -> Iterator[Any]:
            todo = list(arguments)
            futures = client.map(function, todo, retries=retries, pure=False)
            try:
                for done, future in enumerate(as_completed(futures), 1):
                    yield future.result()
                    if watch:
                        watch(todo[0][0], done, len(todo), "tasks")
            finally:
                # Where one failed, nobody waits for the others.
                client.cancel(futures)

        return tasks.run(plan, each, out=out, wait=wait)
