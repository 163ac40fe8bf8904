"""Rows in memory that become a store, or a source of one."""

from __future__ import annotations

import os

from . import _transect
from ._change import path_of
from ._options import PATHS, options_of, pairs
from ._progress import watcher
from ._reports import BuildReport, UpdateReport, finish, parsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping, Sequence
    from typing import Any, Literal

    from ._store import Path, Progress, Store


def write(
    store: Path,
    frame: Any,
    *,
    code: str | None = None,
    date: str | None = None,
    key: str | Sequence[str] = (),
    mode: Literal["error", "overwrite"] = "error",
    name: str | None = None,
    date_name: str | None = None,
    date_format: str | None = None,
    epoch: str | None = None,
    zone: str | None = None,
    naive_zone: str | None = None,
    drop_time: bool = False,
    columns: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    casts: Mapping[str, str] | None = None,
    keep: int | None = None,
    keep_for: datetime.timedelta | int | str | None = None,
    memory: int | str | None = None,
    threads: int | None = None,
    wait: datetime.timedelta | int | str | None = None,
    progress: Progress = None,
) -> BuildReport:
    """Makes a store of rows in memory, without files: of a frame (anything with `__arrow_c_stream__`; of pandas the
    index becomes columns), or of such frames one after the other, as a generator makes them.

    `code` and `date` name the columns of codes and of dates, where their names are not usual ones; `key` names further
    columns that tell rows of one stock and date apart; `casts` gives columns types, as `{"volume": "float64"}`, to
    which numbers are rounded, also of rows that are appended. Rows may come in any order, and may be more than the
    memory holds: `memory` bounds what is held at once. To put those of one date in order takes some 50 bytes a row and
    may take a quarter of it, which is two million rows of any number of columns where nothing else is said. Types,
    nulls and NaN come out as they went in; NaN is null where pandas hands it over so. Texts and bytes of views, as
    Polars has them, are kept as `large_string` and `large_binary`, as Polars writes them to files.

    The rows are those of a source without a folder, called `name` ("frame"): `update` leaves it alone, `append` brings
    it further rows. `mode="overwrite"` replaces a store. Raises Refused where a row cannot be used; then nothing is
    written.

    >>> import polars as pl
    >>> prices = pl.DataFrame({
    ...     "code": ["A", "B", "A"], "date": ["2024-01-02", "2024-01-02", "2024-01-03"], "close": [1.0, 2.0, 1.5],
    ... })
    >>> transect.write("prices.store", prices).rows
    3
    >>> transect.open("prices.store").matrix("close").to_pandas()
                  A    B
    2024-01-02  1.0  2.0
    2024-01-03  1.5  NaN
    """
    if mode not in ("error", "overwrite"):
        raise ValueError(f"mode is 'error' or 'overwrite', not {mode!r}")
    given = {word: value for word, value in locals().items() if word not in ("store", "frame", "progress", "mode")}
    options = options_of(given | {"force": mode == "overwrite"}, code="code_column", date="date_column")
    with watcher(progress) as watch:
        report = _transect.write(os.fsdecode(store), frame, options, watch)
    return finish(BuildReport(parsed(report)), "write")


def add_source(
    store: Path | Store,
    source: Path | Any,
    *,
    name: str | None = None,
    rename: Mapping[str, str] | None = None,
    prefix: str | None = None,
    join: Literal["outer", "left"] = "outer",
    key: Mapping[str, str] | None = None,
    input: Literal["parquet", "arrow", "csv"] | None = None,
    files_by: str | None = None,
    pattern: str | None = None,
    code_template: str | None = None,
    code_map: Path | None = None,
    ignore: str | Sequence[str] = (),
    code_column: str | None = None,
    date_column: str | Sequence[str] | None = None,
    date_format: str | None = None,
    date_name: str | None = None,
    epoch: str | None = None,
    zone: str | None = None,
    naive_zone: str | None = None,
    drop_time: bool = False,
    roll: str | None = None,
    calendar: Path | None = None,
    columns: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    casts: Mapping[str, str] | None = None,
    null: str | Sequence[str] = (),
    duplicates: str | None = None,
    bad_dates: str | None = None,
    strict: bool = False,
    dry_run: bool = False,
    keep: int | None = None,
    keep_for: datetime.timedelta | int | str | None = None,
    allow: Sequence[str] = (),
    max_skipped: int | str | None = None,
    memory: int | str | None = None,
    threads: int | None = None,
    wait: datetime.timedelta | int | str | None = None,
    io: Literal["map", "read"] = "map",
    progress: Progress = None,
) -> UpdateReport:
    """Adds columns to a store: those of the files in a folder, or of a frame that was computed here (as `write` takes
    it). They join the rows on date, code and key; a row that the source lacks has nulls in its columns.

    `rename` and `prefix` give its columns other names; `key` says what it calls columns of the store's key, as
    `{"time": "bar_time"}`; `join="left"` leaves rows out, from now on, whose key no other source has that joins outer.
    The options of a folder are those of `build`. A frame needs a `name`, by which `append(source=...)` brings it
    further rows next night; it has no folder, and `update` leaves it alone. With the name of a source that was made of
    a frame, and its columns, the rows take the place of all that it has; a source that is to have others is dropped
    first.

    Raises Refused where a column is there already, or a row of a frame cannot be used, and Guarded where the outcome
    looks broken.

    >>> import polars as pl
    >>> dearest = store.lazy().with_columns(rank=pl.col("close").rank().over("trade_date"))
    >>> factor = dearest.select("ts_code", "trade_date", "rank").collect()
    >>> report = transect.add_source("panel.store", factor, name="ranks")
    >>> report.filled, report.new_columns
    (11, ['rank'])
    >>> tonight = pl.DataFrame({"ts_code": ["600519.SH"], "trade_date": ["20240108"], "rank": [3.0]})
    >>> transect.append("panel.store", tonight, source="ranks").added
    1
    """
    given = {word: value for word, value in locals().items() if word not in ("store", "source", "progress")}
    is_folder = isinstance(source, PATHS)
    if not is_folder and not name:
        raise TypeError("a source of a frame needs a name, as name='value'")
    folder, frame = (os.fsdecode(source), None) if is_folder else (None, source)
    with watcher(progress) as watch:
        report = _transect.add_source(path_of(store), folder, frame, adding_options(given), watch)
    return finish(UpdateReport(parsed(report)), "add_source")


def adding_options(given: Mapping[str, Any]) -> str:
    """Options of a source that is added, as the extension takes them."""
    key = given.get("key")
    return options_of({**given, "key": None if key is None else pairs("key", key)})
