"""Builds, updates and transposes by the workers of a Dask cluster: on this machine, or by dask-jobqueue of Slurm, PBS and LSF.

    client = distributed.Client(cluster)
    transect.dask.build(client, "/shared/features", "/shared/panel.store", parts=64, bands=64, memory="1GiB")
    transect.dask.update(client, "/shared/panel.store", parts=64, bands=64)
    transect.dask.transpose(client, "/shared/panel.store", "/shared/by_date", parts=64)

Source, store and staging directory lie where all workers reach them by the same path. A worker runs as many tasks at
once as it has threads, each of them one thread and of the plan's memory.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from . import tasks
from ._progress import watcher
from ._reports import BuildReport, TransposeReport, UpdateReport
from ._store import Path, Progress, open

__all__ = ["build", "run", "transpose", "update"]


def build(
    client: Any,
    source: Path,
    store: Path,
    *,
    staging: Path | None = None,
    parts: int = 64,
    bands: int = 64,
    retries: int = 3,
    wait: str | None = None,
    progress: Progress = None,
    **options: Any,
) -> BuildReport:
    """Makes the store that `transect.build` makes, by tasks on the workers of `client`. Options are those of
    `transect.tasks.plan`; `staging` is `STORE.staging` where it is not given.

    A task that fails is tried again `retries` times where that may help, and that of a worker that was lost by another.
    Raises what the task raised. What was done stays in the staging directory: `run` goes on from there, and
    `transect gc STORE --staging` clears it away by age.
    """
    places = [os.path.abspath(path) for path in (source, store, staging or f"{os.fspath(store)}.staging")]
    planning = functools.partial(tasks.plan, *places[:2], staging=places[2], parts=parts, bands=bands, **options)
    plan = client.submit(planning, pure=False).result()
    report = run(client, plan, retries=retries, wait=wait, progress=progress)
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
    wait: str | None = None,
    progress: Progress = None,
    **options: Any,
) -> UpdateReport | None:
    """Makes the version that `transect.update` makes, by tasks on the workers of `client`; None where all is as it was.
    Options are those of `transect.tasks.plan_update`; `staging` is `STORE.staging-V` after the version V where it is not
    given. Else as `build`.
    """
    given = None if staging is None else os.path.abspath(staging)
    planning = functools.partial(_plan_update, os.path.abspath(store), given, (parts, bands), options)
    plan = client.submit(planning, pure=False).result()
    if plan is None:
        return None
    report = run(client, plan, retries=retries, wait=wait, progress=progress)
    assert isinstance(report, UpdateReport)
    return report


def _plan_update(store: str, staging: str | None, counts: tuple[int, int], options: dict[str, Any]) -> str | None:
    place = staging or f"{store}.staging-{open(store).version}"
    return tasks.plan_update(store, staging=place, parts=counts[0], bands=counts[1], **options)


def transpose(
    client: Any,
    store: Path,
    out: Path,
    *,
    staging: Path | None = None,
    parts: int = 64,
    retries: int = 3,
    wait: str | None = None,
    progress: Progress = None,
    **options: Any,
) -> TransposeReport:
    """Writes the files that `transect.transpose` writes, by tasks on the workers of `client`. Options are those of
    `transect.tasks.plan_transpose`; `staging` is `OUT.staging-V` for the version V where it is not given. Else as
    `build`.
    """
    given = None if staging is None else os.path.abspath(staging)
    planning = functools.partial(_plan_transpose, os.path.abspath(store), os.path.abspath(out), given, parts, options)
    plan = client.submit(planning, pure=False).result()
    report = run(client, plan, retries=retries, wait=wait, progress=progress)
    assert isinstance(report, TransposeReport)
    return report


def _plan_transpose(store: str, out: str, staging: str | None, parts: int, options: dict[str, Any]) -> str:
    opened = open(store)
    place = staging or f"{out}.staging-{opened.version}"
    return tasks.plan_transpose(opened, out, staging=place, parts=parts, **options)


def run(
    client: Any, plan: Path, *, retries: int = 3, wait: str | None = None, progress: Progress = None
) -> BuildReport | UpdateReport | TransposeReport:
    """Runs the tasks of a plan on the workers of `client`, but those that were done before; see `build`."""
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

        return tasks.run(plan, each, wait=wait)
