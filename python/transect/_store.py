"""One version of a store, and what can be asked of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence

from . import _dates, _transect
from ._errors import NotFound, Refused
from ._frames import Frame, Rows, Scan, Section, StockSeries
from ._matrix import Matrix
from ._options import PATHS, flag, named, options_of, path as path_said, text, values
from ._progress import watcher
from ._reports import CoverageReport, DiffReport, Source, StoreInfo, VerifyReport, VersionEntry, parsed
from ._schema import Schema

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from typing import Any, Literal, SupportsIndex, TypeAlias, overload

    import numpy as np
    import polars as pl

    from ._dates import DateLike
    from ._frames import Codes

    CoveredBy: TypeAlias = Literal["date", "stock", "column", "month", "year", "jump"]

Path: TypeAlias = str | os.PathLike[str]
Progress: TypeAlias = bool | Callable[[str, int, int, str], object] | None
Universe: TypeAlias = "Path | Any"


def open(  # noqa: A001
    path: Path,
    *,
    version: int | None = None,
    as_of: DateLike | datetime.datetime | None = None,
    io: Literal["map", "read"] = "map",
) -> Store:
    """Opens a store: the live version, that of a number, or what was live at an instant. Costs the same for any size.

    `as_of` is a date, or a time, as text, a datetime, a numpy.datetime64 or a pandas.Timestamp: a date means its end, a
    naive time is local. Where clocks are set back and an hour comes twice, a datetime's `fold` says which is meant, and
    a text is the later. `io="read"` copies what it reads, for disks to which another machine writes. Raises NotFound
    where there is no such store or version, Corrupt where its bytes are damaged.

    >>> store = transect.open("panel.store")
    >>> store
    <Store 'panel.store', version 1: 11 rows x 4 columns>
    >>> transect.open("panel.store", version=7)
    Traceback (most recent call last):
    ...
    transect.NotFound: version 7 of ...panel.store not found; only version 1 is kept
    """
    if version is not None and as_of is not None:
        raise ValueError("version and as_of both choose a version; give one")
    if io not in ("map", "read"):
        raise ValueError(f"io is 'map' or 'read', not {io!r}")
    words = os.fsdecode(path)
    instant = None if as_of is None else _dates.instant(as_of)
    number = None if version is None else number_of(words, version)
    return Store(_transect.Store.open(absolute(words), number, instant, io == "read"), io, words)


class Store:
    """One version of a store, seen whole, whatever is published meanwhile: what `transect.open` gives.

    Safe under threads and fork; pickles as its path, version and id. `len` gives its rows. As a context manager it is
    closed at the end; frames that were handed out stay as they are.

    >>> with transect.open("panel.store") as store:
    ...     store.stocks
    ['000001.SZ', '600000.SH', '600519.SH']
    """

    path: str
    """Where it lies, as it was opened; it stays the same store where the working directory changes."""
    version: int
    """The number of the version."""
    id: str
    """The same for all versions of a store, and for no other store."""
    row_count: int
    """How many rows it has, as `len`."""
    code_column: str
    """The name of the column of codes."""
    date_column: str
    """The name of the column of dates."""
    key: list[str]
    """Further columns that tell the rows of one stock and date apart; mostly none."""
    columns: list[str]
    """The columns but code and date."""

    def __init__(self, raw: _transect.Store, io: Literal["map", "read"], path: str) -> None:
        self._handle: _transect.Store | None = raw
        self._io = io
        self._kept: Store | None = None
        self.path = path
        # Where it is found from another directory, too.
        self._full_path = str(raw.path)
        self.version = raw.version
        self.id = raw.id
        self.row_count = raw.row_count
        self.code_column, self.date_column, self.key, self.columns = raw.names()

    @property
    def _raw(self) -> _transect.Store:
        if self._handle is None:
            raise ValueError(f"{self.path} is closed; open it again")
        return self._handle

    def __repr__(self) -> str:
        return f"<Store {self.path!r}, version {self.version}: {self.row_count} rows x {len(self.columns)} columns>"

    def __len__(self) -> int:
        return self.row_count

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (self._full_path, self.version, self._io, self.id)

    def close(self) -> None:
        """Lets go of the version. Frames that were handed out stay as they are.

        >>> section = store.section("2024-01-02")
        >>> store.close()
        >>> len(section)
        3
        """
        self._handle = self._kept = None

    def _for_frames(self) -> Store:
        """The same version, for frames that outlive this one."""
        if self._kept is None:
            self._kept = Store(self._raw, self._io, self.path)
        return self._kept

    @property
    def dates(self) -> np.ndarray:
        """The dates that have rows, ascending, as datetime64[D].

        >>> store.dates
        array(['2024-01-02', '2024-01-03', '2024-01-04', '2024-01-05'],
              dtype='datetime64[D]')
        """
        return _dates.array(self._raw.dates())

    @property
    def stocks(self) -> list[str]:
        """The codes of all stocks, in code order; a copy.

        >>> store.stocks
        ['000001.SZ', '600000.SH', '600519.SH']
        """
        return self._raw.stocks()

    @property
    def schema(self) -> Schema:
        """Names and types of all columns, as the input has them.

        >>> store.schema["volume"]
        'Int64'
        """
        return Schema(self._raw)

    @property
    def sources(self) -> list[Source]:
        """Where its rows and columns come from, in the order in which they were added.

        >>> [(source.name, source.columns, source.rows) for source in store.sources]
        [('features', ['close', 'volume', 'is_member', 'industry'], 11)]
        """
        return [Source(dict(source)) for source in self.info().sources]

    @property
    def kept_versions(self) -> list[int]:
        """The versions that can be opened, ascending.

        >>> changed = transect.append("panel.store", later)
        >>> store.reload().kept_versions
        [1, 2]
        """
        return self._raw.kept_versions()

    def _answer(
        self,
        columns: Sequence[str] | None = None,
        start: DateLike | None = None,
        end: DateLike | None = None,
        dates: Iterable[DateLike] | None = None,
        stocks: Sequence[str] | None = None,
        codes: Codes | Literal["view"] = "view",
        at: Mapping[str, object] | None = None,
        universe: Universe | None = None,
    ) -> _transect.Answer:
        """What is asked for, found."""
        columns, stocks = named("columns", "names", columns), named("stocks", "codes", stocks)
        days = None if dates is None else _dates.days(dates)
        first, last = _dates.maybe_day(start), _dates.maybe_day(end)
        of_key = [] if at is None else list(values("at", at).items())
        members = None if universe is None else self._members(universe)
        return self._raw.answer(columns, first, last, days, stocks, codes, of_key, members)

    def _members(self, universe: Universe) -> Any:
        """The name of a column, a path, or a frame of dates and codes."""
        if isinstance(universe, str) and universe in self.columns:
            return universe
        if not isinstance(universe, PATHS):
            return universe if isinstance(universe, _transect.Members) else _transect.Members(universe)
        if not os.path.exists(universe):
            raise NotFound(f"universe={os.fsdecode(universe)!r} is neither a column of {self.path} nor a file")
        # Slow to import: only where it is needed.
        from pathlib import Path as FilePath

        return FilePath(absolute(os.fsdecode(universe)))

    def section(self, date: DateLike, columns: Sequence[str] | None = None) -> Section:
        """All stocks on one date, by code. Nothing is copied but codes and dates; checksums are compared.

        Raises NotFound for a date or a column that is not there, naming the nearest ones.

        >>> store.section("2024-01-02", ["close"]).to_polars()
        shape: (3, 3)
        ┌───────────┬────────────┬─────────┐
        │ ts_code   ┆ trade_date ┆ close   │
        │ ---       ┆ ---        ┆ ---     │
        │ str       ┆ date       ┆ f64     │
        ╞═══════════╪════════════╪═════════╡
        │ 000001.SZ ┆ 2024-01-02 ┆ 9.21    │
        │ 600000.SH ┆ 2024-01-02 ┆ 6.63    │
        │ 600519.SH ┆ 2024-01-02 ┆ 1685.01 │
        └───────────┴────────────┴─────────┘
        """
        day = _dates.day(date)
        # Says which dates are near, where there is no such date.
        self._raw.section(day)
        columns = named("columns", "names", columns)
        batch = self._answer(columns, dates=[_dates.date(day)]).batch(0)
        return Section(self._for_frames(), day, {"columns": columns}, batch)

    def series(
        self,
        code: str,
        columns: Sequence[str] | None = None,
        start: DateLike | None = None,
        end: DateLike | None = None,
    ) -> StockSeries:
        """One stock over time, by date and key; both ends are included. A copy of its rows.

        The first one in a process compares checksums of the columns it asks for on all its dates; later ones cost a
        small part of that. Raises NotFound, naming codes that it may be a slip of.

        >>> store.series("600519.SH", ["close"], start=20240103).to_pandas()
                      ts_code   close
        trade_date
        2024-01-03  600519.SH  1694.0
        2024-01-04  600519.SH  1669.0
        """
        return self._series(text("code", code), self._answer(columns, start, end))

    def _series(self, code: str, answer: _transect.Answer) -> StockSeries:
        return StockSeries(code, answer.series(code))

    def scan(
        self,
        start: DateLike | None = None,
        end: DateLike | None = None,
        columns: Sequence[str] | None = None,
        *,
        dates: Iterable[DateLike] | None = None,
        stocks: Sequence[str] | None = None,
        universe: Universe | None = None,
    ) -> Scan:
        """Sections of many dates, each read when it is asked for; both ends are included. `dates` names some of them,
        each of which must be there. Costs nothing until then. Raises NotFound for a date, a stock or a column that is
        not there.

        `universe` leaves rows out that are no members on their date: the name of a boolean column, a frame with a
        column of dates and one of codes, or the path of a Parquet file of such. Dates and codes that the store lacks
        are passed over, and told by a warning.

        >>> store.scan(columns=["close"], universe="is_member").to_polars().height
        6
        """
        # What is asked for may be asked again.
        dates = None if dates is None else dates if getattr(dates, "shape", ()) else _dates.listed(dates)
        columns, stocks = named("columns", "names", columns), named("stocks", "codes", stocks)
        universe = None if universe is None else self._members(universe)
        asked: dict[str, Any] = {"columns": columns, "stocks": stocks, "universe": universe}
        chosen: dict[str, Any] = {"start": start, "end": end, "dates": dates}
        answer = self._answer(**asked, **chosen)
        _warn(answer, 3)
        return Scan(self._for_frames(), answer, asked, chosen)

    def matrix(
        self,
        column: str,
        start: DateLike | None = None,
        end: DateLike | None = None,
        *,
        stocks: Sequence[str] | None = None,
        universe: Universe | None = None,
        at: Mapping[str, object] | None = None,
        fill: float | int | None = None,
    ) -> Matrix:
        """One column, dates x stocks, dense and yours; NaN, or `fill`, where there is no value.

        Of the column's type, which has no NaN for integers and booleans: they need a `fill`, an integer to stay what
        they are, or NaN to become doubles. Takes 8 bytes a cell for doubles, and reads nothing but the column and the
        codes. A panel with further key columns needs one value of each: `at={"time": "14:55:00"}`. `universe` is that
        of `scan`; cells of no members are as those without a row. Raises NotFound for a column, and for a value that no
        row of the dates has, and Refused for a column of texts.

        >>> store.matrix("close", stocks=["600519.SH", "000001.SZ"]).values
        array([[1685.01,    9.21],
               [1694.  ,    9.2 ],
               [1669.  ,    9.11],
               [    nan,    9.27]])
        """
        return self._matrix(column, fill, start=start, end=end, stocks=stocks, universe=universe, at=at)

    def _matrix(self, column: str, fill: float | int | None, **asked: Any) -> Matrix:
        answer = self._answer([text("column", column)], **asked)
        _warn(answer, 4)
        if column not in self.columns:
            raise NotFound(f"{column!r} is a key of the panel and no value; name another column")
        return Matrix(column, _dates.array(answer.dates()), answer.matrix(fill))

    def lazy(self) -> pl.LazyFrame:
        """A Polars scan. Columns that are not asked for are not read, nor are dates and stocks that the parts of a
        filter on date, code and key rule out; a limit stops it early. Costs nothing until it is collected, also after
        the store is closed; raises then what `scan` does.

        >>> import polars as pl
        >>> day = pl.col("trade_date") == pl.date(2024, 1, 3)
        >>> store.lazy().filter(day).select(pl.col("close").mean()).collect().item()
        569.9366666666666
        """
        from ._lazy import scan

        return scan(self._for_frames())

    def log(self) -> list[VersionEntry]:
        """All versions up to this one, oldest first, and what each changed. Reads the catalog, and no row. Raises
        Corrupt where that is damaged, as all that reads does.

        >>> [(entry.version, entry.command, entry.added) for entry in store.log()]
        [(1, 'build', 11)]
        """
        return [VersionEntry(entry) for entry in parsed(self._raw.log())]

    def changes(self, version: SupportsIndex | None = None) -> DiffReport | None:
        """What a version, this one unless given, changed against the one before it, as it was counted when it was made:
        no row is read, and versions that are no longer kept have it, too. None of a version that was built anew, and of
        one that is not among the newest 1,000. `diff` has the values.

        >>> store.changes() is None
        True
        """
        number = self.version if version is None else number_of(self.path, version)
        report = parsed(self._raw.changes(number))
        return None if report is None else DiffReport(report)

    def info(self) -> StoreInfo:
        """The store in numbers: sizes, columns with their types and nulls, the settings it was built with. Reads the
        catalog, and no row.

        >>> info = store.info()
        >>> info.rows, info.stocks, info.dates, str(info.last_date)
        (11, 3, 4, '2024-01-05')
        """
        return StoreInfo(parsed(self._raw.info()))

    if TYPE_CHECKING:

        @overload
        def coverage(self, *, by: None, memory: int | str | None = None, progress: Progress = None) -> CoverageReport: ...
        @overload
        def coverage(self, *, by: CoveredBy = "date", memory: int | str | None = None, progress: Progress = None) -> Frame: ...

    def coverage(
        self, *, by: CoveredBy | None = "date", memory: int | str | None = None, progress: Progress = None
    ) -> CoverageReport | Frame:
        """What this version has and lacks. Reads all of it once; `transect.report` writes it as a page. `memory` bounds what
        is allocated (`"512MiB"`).

        A frame with a row for each `"date"` (stocks that have a row on it, are new, seen last or absent), `"stock"`
        (its first and last date, holes, and whether it is current, stale or has left), `"column"` (nulls, NaNs, jumps),
        column and `"month"` (nulls and NaNs), column and `"year"` (how its numbers are distributed), or `"jump"` of a
        column from one date to the next; all of it with `by=None`.

        >>> store.coverage().to_polars().select("date", "stocks", "absent").rows()[-1]
        (datetime.date(2024, 1, 5), 2, 0)
        >>> store.coverage(by="stock").to_pandas()[["stock", "holes", "state"]]
               stock  holes    state
        0  000001.SZ      0  current
        1  600000.SH      0  current
        2  600519.SH      0    stale
        """
        frames = ("date", "stock", "column", "month", "year", "jump")
        if by is not None and by not in frames:
            raise ValueError(f"by is {', '.join(map(repr, frames))} or None, not {by!r}")
        with watcher(progress) as told:
            found = self._raw.coverage(options_of({"memory": memory}), told)
        if by is None:
            return CoverageReport(parsed(found.report()))
        return Rows(getattr(found, f"by_{by}")())

    if TYPE_CHECKING:

        @overload
        def diff(
            self,
            older: Store | Path | SupportsIndex | None = None,
            *,
            by: None,
            stocks: Sequence[str] | None = None,
            columns: Sequence[str] | None = None,
            start: DateLike | None = None,
            end: DateLike | None = None,
            progress: Progress = None,
        ) -> DiffReport: ...
        @overload
        def diff(
            self,
            older: Store | Path | SupportsIndex | None = None,
            *,
            by: Literal["date", "stock", "column", "row"] = "date",
            stocks: Sequence[str] | None = None,
            columns: Sequence[str] | None = None,
            start: DateLike | None = None,
            end: DateLike | None = None,
            progress: Progress = None,
        ) -> Frame: ...

    def diff(
        self,
        older: Store | Path | SupportsIndex | None = None,
        *,
        by: Literal["date", "stock", "column", "row"] | None = "date",
        stocks: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        start: DateLike | None = None,
        end: DateLike | None = None,
        progress: Progress = None,
    ) -> DiffReport | Frame:
        """What changed from `older` (a store, its path, or the number of a version of this one) to this version; from
        the version before this one, unless given. Where no version before is kept, nothing.

        As a frame: `by="date"`, `"stock"` and `"column"` count, `by="row"` has a row for each value that was restated,
        filled or lost with its column, and for each row that was added or removed, with texts of both values; in
        numbers with `by=None`, the numbers that moved furthest among them. `stocks`, `columns`, `start` and `end`
        choose. Sections that no version between changed are not read. Raises NotFound for a stock, a column or a
        version that is not there, and Refused where `older` is of another store.

        >>> changed = transect.append("panel.store", later)
        >>> live = store.reload()
        >>> live.diff(by=None).added
        2
        >>> live.diff(by="row", stocks=["600519.SH"]).to_pandas()[["date", "stock", "change"]]
                date      stock change
        0 2024-01-08  600519.SH  added
        """
        if by not in (None, "date", "stock", "column", "row"):
            raise ValueError(f"by is 'date', 'stock', 'column', 'row' or None, not {by!r}")
        stocks, columns = named("stocks", "codes", stocks), named("columns", "names", columns)
        raw = None if older is None else self._older(older)
        first, last = _dates.maybe_day(start), _dates.maybe_day(end)
        diff = self._raw.diff(raw, first, last, stocks, columns)
        with watcher(progress) as told:
            if by is None:
                return DiffReport(parsed(diff.numbers(told)))
            return Rows(getattr(diff, f"by_{by}")(told))

    def _older(self, older: Store | Path | SupportsIndex) -> _transect.Store:
        """The store, the one of a path, or the version of a number."""
        if isinstance(older, Store):
            return older._raw
        if isinstance(older, PATHS):
            return open(older, io=self._io)._raw
        if isinstance(older, bool) or not hasattr(older, "__index__"):
            raise TypeError(f"older is a store, its path or the number of a version, not {older!r}")
        return open(self._full_path, io=self._io)._raw.other_version(number_of(self.path, older))

    def verify(
        self,
        *,
        inputs: bool | Path = False,
        output: Path | None = None,
        all_versions: bool = False,
        memory: int | str | None = None,
        threads: int | None = None,
        progress: Progress = None,
    ) -> VerifyReport:
        """Compares every checksum of this version, or of all that are kept. Reads every byte once.

        `inputs=True` also compares all rows with the files of each source, `inputs=FOLDER` with those of one folder; a
        source that has none, since its rows were appended, is named in `notes`;
        `output` compares the files that `transpose` wrote there. The report is true where nothing is damaged and
        nothing differs; damage is told there, and not raised. `memory` bounds what is allocated (`"512MiB"`). Raises
        Refused where a folder is no source's, or the memory too little.

        >>> report = store.verify(inputs=True)
        >>> bool(report), report.rows, report.inputs[0].files
        (True, 11, 3)
        """
        options = options_of({"memory": memory, "threads": threads})
        all_versions = flag("all_versions", all_versions)
        with watcher(progress) as told:
            found = parsed(self._raw.verify(all_versions, options, told))
            found |= {"inputs": [], "output": None, "notes": []}
            # What is compared with a damaged store says nothing.
            if inputs is not False and not found["damages"]:
                folders = self._folders(found["notes"]) if inputs is True else [path_said("inputs", inputs)]
                found["inputs"] = [parsed(self._raw.verify_inputs(folder, options, told)) for folder in folders]
            if output is not None and not found["damages"]:
                found["output"] = parsed(self._raw.verify_output(path_said("output", output), options, told))
        return VerifyReport(found)

    def _folders(self, notes: list[str]) -> list[str]:
        """The folders of the sources, or the names of those that share one; `notes` gets those that have none."""
        for source in self.sources:
            if source.folder is None:
                notes.append(f"the source {source.name!r} has no folder: its rows are those that were appended")
        with_files = [(source.folder, source.name) for source in self.sources if source.folder is not None]
        folders = [folder for folder, _ in with_files]
        return [folder if folders.count(folder) == 1 else name for folder, name in with_files]

    def reload(self) -> Store:
        """The live version at its path, if it is another by now, also that of a store which was built there anew; else
        this one. Costs what `transect.open` does.

        >>> changed = transect.append("panel.store", later)
        >>> store.version, store.reload().version
        (1, 2)
        """
        live = open(self._full_path, io=self._io)
        live.path = self.path
        return self if (live.version, live.id) == (self.version, self.id) else live


def absolute(path: str) -> str:
    """The same place from any directory. What `..` means after a link is for the system to say."""
    return path if os.path.isabs(path) else os.path.join(os.getcwd(), path)


def _warn(answer: _transect.Answer, stacklevel: int) -> None:
    """Says what there is to tell of the universe, to who asked so many calls above."""
    for note in answer.notes():
        # Slow to import: only where it is needed.
        import warnings

        warnings.warn(note, stacklevel=stacklevel)


def number_of(path: str, version: SupportsIndex) -> int:
    """The number of a version of the store there."""
    if isinstance(version, bool) or not hasattr(version, "__index__"):
        raise TypeError(f"a version is a number, not {version!r}")
    number = version.__index__()
    if 0 <= number < 2**64:
        return number
    error = NotFound(f"version {number} of {path} not found")
    error.kind = "version"
    raise error


def other_store(path: str, than: str) -> Refused:
    """What is raised where another store lies by now."""
    return Refused(f"{path} is another store by now than the one that was {than}; open it again")


def _reopened(path: str, version: int, io: Literal["map", "read"], id: str) -> Store:  # noqa: A002
    live = open(path, io=io)
    if live.id != id:
        raise other_store(path, "pickled")
    return live if live.version == version else Store(live._raw.other_version(version), io, path)
