"""What changes a store, or is written from one."""

from __future__ import annotations

import datetime
import errno
import os
from collections.abc import Iterable, Mapping, Sequence

from . import _dates, _transect
from ._errors import Refused, TransectError
from ._options import PATHS, checked, number, options_of, text, texts
from ._progress import watcher
from ._reports import BuildReport, CollectReport, SynthReport, TransposeReport, UpdateReport, finish, parsed
from ._store import Path, Progress, Store, Universe, number_of, open, other_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal


def path_of(store: Path | Store) -> str:
    """Where it lies. Raises Refused where another store lies there by now than the one that was opened."""
    if not isinstance(store, Store):
        return os.fsdecode(store)
    try:
        lies_there = open(store._full_path, io=store._io).id
    except (TransectError, OSError):
        # For the change itself to say.
        return store._full_path
    if lies_there != store.id:
        raise other_store(store.path, "opened")
    return store._full_path


def exported(frame: Any) -> tuple[Any, list[str]]:
    """`frame`, and the names of its columns of no type: Polars hands those over in a way of its own, so that booleans
    stand for them."""
    if type(frame).__module__.startswith("polars") and type(frame).__name__ == "DataFrame":
        if objects := [name for name, kind in frame.schema.items() if str(kind) == "Object"]:
            # Polars would hand over where they lie in memory.
            what = f'the frame: its column "{objects[0]}" is of objects of Python, which Arrow has not'
            raise Refused(f"{what}; give it another type, or leave it out")
        untyped = [name for name, kind in frame.schema.items() if str(kind) == "Null"]
        if untyped:
            import polars as pl

            return frame.with_columns(pl.col(untyped).cast(pl.Boolean)), untyped
    return frame, []


def parted(rows: Any) -> tuple[list[str], Any]:
    """Paths, of which one is there, or else what has rows."""
    if isinstance(rows, PATHS):
        rows = [rows]
    if not (isinstance(rows, (list, tuple)) and rows and all(isinstance(row, PATHS) for row in rows)):
        return [], rows
    files = [os.fsdecode(row) for row in rows]
    if not any(map(os.path.lexists, files)):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), files[0])
    return files, None


def _spelt(date: Any) -> str | None:
    return None if date is None else _dates.date(_dates.day(date)).isoformat()


def build(
    source: Path,
    store: Path,
    *,
    name: str | None = None,
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
    key: str | Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    casts: Mapping[str, str] | None = None,
    rename: Mapping[str, str] | None = None,
    null: str | Sequence[str] = (),
    duplicates: str | None = None,
    bad_dates: str | None = None,
    strict: bool = False,
    force: bool = False,
    keep: int | None = None,
    keep_for: datetime.timedelta | int | str | None = None,
    allow: Sequence[str] = (),
    max_skipped: int | str | None = None,
    memory: int | str | None = None,
    threads: int | None = None,
    wait: datetime.timedelta | int | str | None = None,
    progress: Progress = None,
) -> BuildReport:
    """Makes a store of a folder of per-stock Parquet files, or of per-date ones (`files_by="date"`), each read once; of
    files of Arrow or csv with `input=`. Options are those of `transect build`.

    `pattern` says where the code stands in paths, as `{code}.parquet`. `date_column` and `key` name columns; `casts`
    gives columns types, as `{"volume": "float64"}`, `rename` other names; `columns` and `exclude` choose some; `null`
    names words that stand for a null in csv, as `["NA"]`. `name` is
    that of the source, if not the folder's. `memory` bounds what is
    allocated (`"512MiB"`), `wait` says how long to wait for another writer (`"10m"`, a timedelta, or seconds).
    `force` replaces a store.

    Files that cannot be used are left out, and told by a SkippedInputs warning; `max_skipped` says how many are usual.
    Raises Refused where the folder, or an option, cannot be right, and Guarded where the outcome looks broken; then
    nothing is published.

    >>> report = transect.build("features", "other.store", exclude=["industry"], memory="256MiB")
    >>> report.files, report.columns
    (3, 5)
    >>> transect.build("features", "other.store")
    Traceback (most recent call last):
    ...
    transect.Refused: other.store is a store already; transect.update("other.store") brings it ...
    """
    given = {word: value for word, value in locals().items() if word not in ("source", "store", "progress")}
    with watcher(progress) as watch:
        report = _transect.build(os.fsdecode(source), os.fsdecode(store), options_of(given), watch)
    return finish(BuildReport(parsed(report)), "build")


def update(
    store: Path | Store,
    *,
    sources: str | Sequence[str] | None = None,
    prune: bool = False,
    check_content: bool = False,
    reread: bool = False,
    dry_run: bool = False,
    ignore: str | Sequence[str] = (),
    date_column: str | Sequence[str] | None = None,
    date_format: str | None = None,
    epoch: str | None = None,
    zone: str | None = None,
    naive_zone: str | None = None,
    drop_time: bool = False,
    calendar: Path | None = None,
    code_map: Path | None = None,
    exclude: Sequence[str] = (),
    casts: Mapping[str, str] | None = None,
    duplicates: str | None = None,
    bad_dates: str | None = None,
    expect: _dates.DateLike | None = None,
    min_codes: int | str = "90%",
    max_restated: int | str | None = None,
    max_skipped: int | str | None = None,
    keep: int | None = None,
    keep_for: datetime.timedelta | int | str | None = None,
    allow: Sequence[str] = (),
    memory: int | str | None = None,
    threads: int | None = None,
    wait: datetime.timedelta | int | str | None = None,
    io: Literal["map", "read"] = "map",
    progress: Progress = None,
) -> UpdateReport:
    """Reads the files that changed since, and publishes a new version if anything differs; costs what changed.

    Of all sources, or of those named in `sources`, in one version. A file that disappeared keeps its rows, unless
    `prune`. `reread` reads every file, also one that did not change, as after a `restore`. `expect` is a date that the
    store is to have then, or `"today"`, of at least `min_codes` stocks, as 4000, or as a share of those that have the
    date before; else the night is stopped (`allow=["expected-date"]`). Of several sources each is asked that has most
    of its stocks on every date, and was not behind the others before. `max_restated` is how many rows may differ from
    before, as 100 or `"5%"`. The store keeps the newest `keep` versions, and those that were replaced no longer ago
    than `keep_for` (a timedelta, or `"30d"`), from now on. A dry run tells what would change, and changes nothing.
    Raises Guarded where the night looks broken; then nothing is published. Raises Locked while another process writes,
    after `wait`. `io="read"` copies what it reads of the store instead of mapping it, as all that change a store can,
    for disks to which another machine writes.

    >>> import polars as pl
    >>> path = "features/600519.SH.parquet"
    >>> pl.read_parquet(path).with_columns(pl.col("close") / 2).write_parquet(path)
    >>> report = transect.update("panel.store", dry_run=True)
    >>> report.restated, report.published, str(report.first_dirty)
    (3, False, '2024-01-02')
    >>> newest = report.newest
    >>> str(newest.date), newest.stocks, newest.stocks_before, newest.stale_stocks[0].stock
    ('2024-01-05', 2, 3, '600519.SH')
    """
    given = {name: value for name, value in locals().items() if name not in ("store", "progress")}
    given["expect"] = datetime.date.today().isoformat() if expect == "today" else _spelt(expect)
    with watcher(progress) as watch:
        report = _transect.update(path_of(store), options_of(given), watch)
    return finish(UpdateReport(parsed(report)), "update")


def append(
    store: Path | Store,
    rows: Path | Sequence[Path] | Any,
    *,
    source: str | None = None,
    replace: bool = False,
    dry_run: bool = False,
    exclude: Sequence[str] = (),
    max_restated: int | str | None = None,
    keep: int | None = None,
    keep_for: datetime.timedelta | int | str | None = None,
    allow: Sequence[str] = (),
    memory: int | str | None = None,
    threads: int | None = None,
    wait: datetime.timedelta | int | str | None = None,
    io: Literal["map", "read"] = "map",
    progress: Progress = None,
) -> UpdateReport:
    """Adds rows to a store, or restates them: those of per-date files as `transpose` writes them, or of a frame with
    columns of codes and of dates (anything with `__arrow_c_stream__`: pandas, Polars, DuckDB, pyarrow), of any dates;
    or of such frames one after the other, as a generator makes them.

    They are rows of `source`, which must be named where there are several. What the frame lacks stays, unless
    `replace` removes it from its dates. Appended rows stay until their stock's file
    changes and has them itself. Files that cannot be used are left out, with a warning, and FileNotFoundError is raised
    where none of them is there; of a frame all rows are used, or none: raises
    Refused where one cannot be, and Guarded where the outcome looks broken. NaN is null where pandas hands it over so,
    which needs pyarrow for that. Costs what the rows' dates take. Raises Locked while another process writes.

    >>> import polars as pl
    >>> tonight = pl.DataFrame({
    ...     "ts_code": ["000001.SZ"], "trade_date": ["20240108"], "close": [9.15], "volume": [1121156],
    ...     "is_member": [True], "industry": ["Banks"],
    ... })
    >>> report = transect.append("panel.store", tonight)
    >>> report.added, report.version
    (1, 2)
    """
    given = {name: value for name, value in locals().items() if name not in ("store", "rows", "progress")}
    files, frame = parted(rows)
    with watcher(progress) as watch:
        done = _transect.append(path_of(store), files, frame, options_of(given), watch)
    report = UpdateReport(parsed(done))
    return finish(report, "append")


def _assigned(options: Mapping[str, Any], how: str) -> list[str]:
    """Options as `source set` takes them."""
    if not isinstance(options, Mapping):
        raise TypeError(f'{"add" if how == "+" else "remove"} is a dict, as {{"exclude": ["memo"]}}, not {options!r}')

    def said(name: str, value: Any) -> str:
        if isinstance(value, (str, list, tuple, Mapping)) and not value:
            # As it is by default.
            return ""
        # What is taken away needs no type, and no other name.
        is_named = how == "-" and name in ("casts", "rename") and not isinstance(value, Mapping)
        found = texts(name, value) if is_named else checked(name, value)
        if isinstance(found, list):
            return ",".join(one.replace("\\", "\\\\").replace(",", "\\,") for one in found)
        return str(found).lower() if isinstance(found, bool) else str(found)

    words = {name: "cast" if name == "casts" else name.replace("_", "-") for name in options}
    return [f"{words[name]}{how}={said(name, value)}" for name, value in options.items() if value is not None]


def set_source(
    store: Path | Store,
    name: str,
    *,
    path: Path | None = None,
    input: Literal["parquet", "arrow", "csv"] | None = None,
    pattern: str | None = None,
    code_template: str | None = None,
    code_map: Path | None = None,
    ignore: str | Sequence[str] | None = None,
    date_column: str | Sequence[str] | None = None,
    date_format: str | None = None,
    epoch: str | None = None,
    zone: str | None = None,
    naive_zone: str | None = None,
    drop_time: bool | None = None,
    roll: str | None = None,
    calendar: Path | None = None,
    duplicates: str | None = None,
    bad_dates: str | None = None,
    columns: Sequence[str] | None = None,
    exclude: str | Sequence[str] | None = None,
    casts: Mapping[str, str] | None = None,
    rename: Mapping[str, str] | None = None,
    null: str | Sequence[str] | None = None,
    prefix: str | None = None,
    max_skipped: int | str | None = None,
    join: Literal["outer", "left"] | None = None,
    add: Mapping[str, Any] | None = None,
    remove: Mapping[str, Any] | None = None,
    dry_run: bool = False,
    max_restated: int | str | None = None,
    keep: int | None = None,
    keep_for: datetime.timedelta | int | str | None = None,
    allow: Sequence[str] = (),
    memory: int | str | None = None,
    threads: int | None = None,
    wait: datetime.timedelta | int | str | None = None,
    io: Literal["map", "read"] = "map",
    progress: Progress = None,
) -> UpdateReport:
    """Changes how a source is found and read, from now on, and brings it up to date.

    What is given takes the place of what was set before; `""` or an empty list is the default. `add` and `remove`
    change lists, as `add={"exclude": ["memo"]}`. `path` is where its files are, `join` how it joins the others, as for
    `add_source`. Files that were left out are tried again, and all are read again where it matters. A column that is
    excluded goes from the store, and one that is renamed keeps its values; `columns`, `exclude`, `casts` and `rename`
    name columns as the files have them. A source of frames has no files to read otherwise: it takes `exclude`,
    `columns`, `rename` and `prefix`, which also name columns as the store has them, `join`, which counts for further
    rows, and the `path` of a folder. What was left out of its rows is gone. Raises Guarded where the outcome looks
    broken, and Refused where it cannot be; then nothing is published.

    >>> report = transect.set_source("panel.store", "features", exclude=["industry"], rename={"close": "price"})
    >>> report.lost_columns, report.renamed_columns, report.read_files
    (['industry'], ['close -> price'], 0)
    """
    options = {name: value for name, value in locals().items() if name not in ("store", "name", "progress")}
    running = ("dry_run", "max_restated", "keep", "keep_for", "allow", "memory", "threads", "wait", "io")
    given = {option: options.pop(option) for option in running}
    more, less = ({} if changed is None else changed for changed in (options.pop("add"), options.pop("remove")))
    assigned = [*_assigned(options, ""), *_assigned(more, "+"), *_assigned(less, "-")]
    with watcher(progress) as watch:
        report = _transect.set_source(path_of(store), text("name", name), assigned, options_of(given), watch)
    return finish(UpdateReport(parsed(report)), "set_source")


def rename_source(
    store: Path | Store,
    name: str,
    other: str,
    *,
    dry_run: bool = False,
    threads: int | None = None,
    wait: datetime.timedelta | int | str | None = None,
    io: Literal["map", "read"] = "map",
    progress: Progress = None,
) -> UpdateReport:
    """Gives a source another name, as the next version has it. Costs the same for any size: no row is written.

    Raises NotFound where there is no such source, and Refused where another one has the name.

    >>> report = transect.rename_source("panel.store", "features", "prices")
    >>> [source.name for source in store.reload().sources]
    ['prices']
    """
    given = {"dry_run": dry_run, "threads": threads, "wait": wait, "io": io}
    names = text("name", name), text("other", other)
    with watcher(progress) as watch:
        report = _transect.rename_source(path_of(store), *names, options_of(given), watch)
    return finish(UpdateReport(parsed(report)), "rename_source")


def drop_source(
    store: Path | Store,
    name: str,
    *,
    dry_run: bool = False,
    threads: int | None = None,
    wait: datetime.timedelta | int | str | None = None,
    io: Literal["map", "read"] = "map",
    progress: Progress = None,
) -> UpdateReport:
    """Takes a source out of a store, with its columns and the rows that no other source has. Older versions keep them.

    Raises NotFound where there is no such source, and Refused where it is the only one.

    >>> transect.drop_source("panel.store", "features")
    Traceback (most recent call last):
    ...
    transect.Refused: "features" is the only source of panel.store; ...
    """
    given = {"dry_run": dry_run, "threads": threads, "wait": wait, "io": io}
    with watcher(progress) as watch:
        report = _transect.drop_source(path_of(store), text("name", name), options_of(given), watch)
    return finish(UpdateReport(parsed(report)), "drop_source")


def restore(
    store: Path | Store,
    version: int,
    *,
    dry_run: bool = False,
    max_restated: int | str | None = None,
    keep: int | None = None,
    keep_for: datetime.timedelta | int | str | None = None,
    allow: Sequence[str] = (),
    threads: int | None = None,
    wait: datetime.timedelta | int | str | None = None,
    io: Literal["map", "read"] = "map",
    progress: Progress = None,
) -> UpdateReport:
    """Makes the rows, columns and sources of an older version those of the next one, which shares its bytes.

    Its rows stand until their files change, or an `update` has `reread=True`. Raises NotFound where the store keeps no
    such version, and Guarded where the outcome looks broken; then nothing is published.

    >>> changed = transect.append("panel.store", later)
    >>> report = transect.restore("panel.store", changed.version - 1, allow=["appended-rows"])
    >>> report.restored, report.removed == changed.added, report.version == changed.version + 1
    (1, True, True)
    """
    given = {name: value for name, value in locals().items() if name not in ("store", "version", "progress")}
    path = path_of(store)
    with watcher(progress) as watch:
        report = _transect.restore(path, number_of(path, version), options_of(given), watch)
    return finish(UpdateReport(parsed(report)), "restore")


def transpose(
    store: Path | Store,
    out: Path,
    *,
    by: str | None = None,
    matrix: Sequence[str] | None = None,
    at: Mapping[str, object] | None = None,
    name: str | None = None,
    columns: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    date: bool | None = None,
    start: _dates.DateLike | None = None,
    end: _dates.DateLike | None = None,
    dates: Iterable[_dates.DateLike] | None = None,
    last: int | None = None,
    stocks: Sequence[str] | None = None,
    universe: Universe | None = None,
    ignore_unknown: bool = False,
    compression: str | None = None,
    format: str | None = None,  # noqa: A002
    check_content: bool = False,
    force: bool = False,
    memory: str | int | None = None,
    threads: int | None = None,
    wait: datetime.timedelta | int | str | None = None,
    progress: Progress = None,
) -> TransposeReport:
    """Writes one file per date, as `20240102.parquet`, and none again that is current. Options are those of `transect
    transpose`.

    `by` is "date", "month", "year", "all" or "stock": what each file is of; `matrix=["close"]` writes a file a column
    instead, with a row a date and a column a stock; of a panel with further key columns for one value of each, as
    `at={"time": "14:55:00"}`. `columns`, `exclude`, `start`, `end`, `dates`, `last`, `stocks` and
    `universe` (a column that is true, or a frame of dates and codes) choose; `ignore_unknown` passes over dates and
    stocks that the store lacks; `date=False` leaves the date column out; `name` lays files out otherwise, as
    `trade_date={date}/data.parquet` or `year={year}/{date:%Y-%m-%d}.parquet`; `format` is "parquet", "arrow" or "csv",
    `compression` "snappy", "zstd", "zstd:3", "lz4" or "none". Raises Refused where the directory has files of another
    shape, unless `force`.

    >>> transect.transpose("panel.store", "by_date", columns=["close"], end="2024-01-03").written
    2
    >>> transect.transpose("panel.store", "by_date", columns=["close"]).unchanged_files
    2
    """
    given = {name: value for name, value in locals().items() if name not in ("store", "out", "universe", "progress")}
    opened = store if isinstance(store, Store) else open(store)
    members = None if universe is None else opened._members(universe)
    with watcher(progress) as watch:
        report = _transect.transpose(opened._raw, os.fsdecode(out), members, transpose_options(given), watch)
    return TransposeReport(parsed(report))


def transpose_options(given: dict[str, Any]) -> str:
    """Options of a transpose as the extension takes them."""
    dates = given.get("dates")
    spelt = {name: _spelt(given.get(name)) for name in ("start", "end")}
    spelt_dates = None if dates is None else [_spelt(one) for one in _dates.listed(dates)]
    return options_of(given | spelt | {"dates": spelt_dates})


def report(
    store: Path | Store,
    out: Path,
    *,
    force: bool = False,
    memory: int | str | None = None,
    threads: int | None = None,
    progress: Progress = None,
) -> None:
    """Writes what the store has and lacks as one HTML page that opens in any browser, without a network: stocks over
    time, holes, nulls, numbers by year, versions, skipped files. It replaces an earlier page; raises Refused where
    another file stands, unless `force`. `memory` bounds what is allocated (`"512MiB"`).

    >>> transect.report(store, "report.html")
    >>> open("report.html").readline()
    '<!doctype html>\\n'
    """
    opened = store if isinstance(store, Store) else open(store)
    given = {"force": force, "memory": memory, "threads": threads}
    with watcher(progress) as watch:
        _transect.report(opened._raw, os.fsdecode(out), options_of(given), watch)


def gc(
    store: Path | Store,
    *,
    keep: int | None = None,
    older_than: datetime.timedelta | int | str | None = None,
    live: int | None = None,
    dry_run: bool = False,
    wait: datetime.timedelta | int | str | None = None,
    io: Literal["map", "read"] = "map",
) -> CollectReport:
    """Removes versions but the last `keep`, or those that were replaced longer ago than `older_than` (a timedelta, or
    `"30d"`), and what only they use. A version that somebody has open stays. `live` says which version is live where a
    copy of the store's CURRENT was put back, which hides newer ones. A dry run only tells. Raises Locked while another
    process writes.

    >>> changed = transect.append("panel.store", later)
    >>> store.close()
    >>> transect.gc("panel.store", keep=1).kept_versions
    [2]
    """
    given = {"keep": keep, "older_than": older_than, "live": live, "dry_run": dry_run, "wait": wait, "io": io}
    return CollectReport(parsed(_transect.gc(path_of(store), options_of(given))))


def synth(out: Path, *, preset: str = "barra", stocks: int = 300, dates: int = 500, seed: int = 1) -> SynthReport:
    """Writes a made-up panel to try with: one Parquet file per stock, the same for the same seed.

    >>> report = transect.synth("made_up", stocks=20, dates=30)
    >>> report.files
    20
    """
    counts = [number(*given) for given in (("stocks", stocks), ("dates", dates), ("seed", seed))]
    return SynthReport(parsed(_transect.synth(os.fsdecode(out), text("preset", preset), *counts)))
