"""What changes a store, or is written from one."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from . import _dates, _transect
from ._errors import Refused
from ._progress import watcher
from ._reports import BuildReport, CollectReport, SynthReport, TransposeReport, UpdateReport, finish
from ._store import Path, Progress, Store, open


def _path(store: Path | Store) -> str:
    return store.path if isinstance(store, Store) else os.fspath(store)


def _options(given: dict[str, Any]) -> str:
    options = {name: value for name, value in given.items() if value is not None}
    for name in ("memory", "max_restated", "max_skipped"):
        if name in options:
            options[name] = str(options[name])
    if casts := options.get("casts"):
        options["casts"] = [f"{column}={kind}" for column, kind in casts.items()]
    for name in ("date_column", "key", "columns", "exclude", "ignore", "stocks", "allow"):
        if isinstance(options.get(name), str):
            options[name] = [options[name]]
        elif name in options:
            options[name] = list(options[name])
    return json.dumps(options)


def _spelt(date: Any) -> str | None:
    return None if date is None else _dates.date(_dates.day(date)).isoformat()


def build(
    source: Path,
    store: Path,
    *,
    pattern: str | None = None,
    code_template: str | None = None,
    ignore: str | Sequence[str] = (),
    code_column: str | None = None,
    date_column: str | Sequence[str] | None = None,
    date_format: str | None = None,
    date_name: str | None = None,
    epoch: str | None = None,
    zone: str | None = None,
    naive_zone: str | None = None,
    drop_time: bool = False,
    key: str | Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    casts: Mapping[str, str] | None = None,
    duplicates: str | None = None,
    bad_dates: str | None = None,
    strict: bool = False,
    force: bool = False,
    keep: int | None = None,
    allow: Sequence[str] = (),
    max_skipped: int | str | None = None,
    memory: int | str | None = None,
    threads: int | None = None,
    wait: str | None = None,
    progress: Progress = None,
) -> BuildReport:
    """A store from a folder of per-stock Parquet files. Options are those of `transect build`.

    Files that cannot be used are left out, and told by a SkippedInputs warning. Raises Guarded where the outcome looks
    broken; then nothing is published.
    """
    given = {name: value for name, value in locals().items() if name not in ("source", "store", "progress")}
    with watcher(progress) as told:
        report = _transect.build(os.fspath(source), os.fspath(store), _options(given), told)
    return finish(BuildReport(json.loads(report)), "build")


def update(
    store: Path | Store,
    *,
    source: Path | None = None,
    prune: bool = False,
    check_content: bool = False,
    dry_run: bool = False,
    ignore: str | Sequence[str] = (),
    date_column: str | Sequence[str] | None = None,
    date_format: str | None = None,
    epoch: str | None = None,
    zone: str | None = None,
    naive_zone: str | None = None,
    drop_time: bool = False,
    exclude: Sequence[str] = (),
    casts: Mapping[str, str] | None = None,
    duplicates: str | None = None,
    bad_dates: str | None = None,
    max_restated: int | str | None = None,
    max_skipped: int | str | None = None,
    keep: int | None = None,
    allow: Sequence[str] = (),
    memory: int | str | None = None,
    threads: int | None = None,
    wait: str | None = None,
    progress: Progress = None,
) -> UpdateReport:
    """Reads the files that changed, and publishes a new version if anything differs.

    Raises Guarded where the night looks broken; then nothing is published. A dry run tells what would change.
    """
    given = {name: value for name, value in locals().items() if name not in ("store", "progress")}
    given["source"] = None if source is None else os.fspath(source)
    with watcher(progress) as told:
        report = _transect.update(_path(store), _options(given), told)
    return finish(UpdateReport(json.loads(report)), "update")


def append(
    store: Path | Store,
    rows: Path | Sequence[Path] | Any,
    *,
    replace: bool = False,
    dry_run: bool = False,
    exclude: Sequence[str] = (),
    max_restated: int | str | None = None,
    keep: int | None = None,
    allow: Sequence[str] = (),
    memory: int | str | None = None,
    threads: int | None = None,
    wait: str | None = None,
    progress: Progress = None,
) -> UpdateReport:
    """Adds rows to a store, or restates them: per-date files as `transpose` writes them, or a frame with a code and a
    date column (anything with `__arrow_c_stream__`), of any dates. Raises Refused where a frame cannot be used.
    """
    given = {name: value for name, value in locals().items() if name not in ("store", "rows", "progress")}
    is_files = isinstance(rows, (str, os.PathLike, list, tuple))
    paths = [rows] if isinstance(rows, (str, os.PathLike)) else list(rows) if is_files else []
    with watcher(progress) as told:
        files = [os.fspath(path) for path in paths]
        told_of = _transect.append(_path(store), files, None if is_files else rows, _options(given), told)
    report = UpdateReport(json.loads(told_of))
    if not is_files and report.skipped:
        raise Refused(f"the frame {report.skipped[0].reason}")
    return finish(report, "append")


def transpose(
    store: Path | Store,
    out: Path,
    *,
    name: str | None = None,
    columns: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    date: bool | None = None,
    start: _dates.DateLike | None = None,
    end: _dates.DateLike | None = None,
    dates: Sequence[_dates.DateLike] | None = None,
    stocks: Sequence[str] | None = None,
    compression: str | None = None,
    format: str | None = None,  # noqa: A002
    check_content: bool = False,
    force: bool = False,
    threads: int | None = None,
    wait: str | None = None,
    progress: Progress = None,
) -> TransposeReport:
    """One file per date, and no file again that is current. `date=False` leaves the date column out."""
    given = {name: value for name, value in locals().items() if name not in ("store", "out", "progress")}
    given["start"], given["end"] = _spelt(start), _spelt(end)
    given["dates"] = None if dates is None else [_spelt(one) for one in dates]
    opened = store if isinstance(store, Store) else open(store)
    with watcher(progress) as told:
        report = _transect.transpose(opened._raw, os.fspath(out), _options(given), told)
    return TransposeReport(json.loads(report))


def gc(
    store: Path | Store,
    *,
    keep: int | None = None,
    older_than: datetime.timedelta | str | None = None,
    live: int | None = None,
    dry_run: bool = False,
    wait: str | None = None,
) -> CollectReport:
    """Removes old versions, and what only they use. A version that a reader has open stays."""
    age = int(older_than.total_seconds()) if isinstance(older_than, datetime.timedelta) else older_than
    given = {"keep": keep, "older_than": age, "live": live, "dry_run": dry_run, "wait": wait}
    return CollectReport(json.loads(_transect.gc(_path(store), _options(given))))


def synth(out: Path, *, preset: str = "barra", stocks: int = 300, dates: int = 500, seed: int = 1) -> SynthReport:
    """A made-up panel to try with: one Parquet file per stock, the same for the same seed."""
    return SynthReport(json.loads(_transect.synth(os.fspath(out), preset, stocks, dates, seed)))
