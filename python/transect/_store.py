"""One version of a store, and what can be asked of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from . import _dates, _transect
from ._dates import DateLike
from ._errors import NotFound
from ._frames import Frame, Scan, Section, StockSeries, _days
from ._matrix import Matrix
from ._progress import watcher
from ._reports import DiffReport, StoreInfo, VerifyReport, VersionEntry

if TYPE_CHECKING:
    import datetime

    import numpy as np
    import polars as pl

Path: TypeAlias = "str | os.PathLike[str]"
Progress: TypeAlias = "bool | Callable[[str, int, int, str], object] | None"


def open(  # noqa: A001
    path: Path,
    *,
    version: int | None = None,
    as_of: datetime.datetime | datetime.date | str | None = None,
    io: Literal["map", "read"] = "map",
) -> Store:
    """Opens a store; costs the same for any size. `as_of`: a date means its end, a naive time is local.

    Raises NotFound where there is no such store or version, Corrupt where its bytes are damaged.
    """
    if version is not None and as_of is not None:
        raise ValueError("version and as_of both choose a version; give one")
    instant = None if as_of is None else _dates.instant(as_of)
    return Store(_transect.Store.open(os.fspath(path), version, instant, io == "read"))


class Store:
    """One version of a store, seen whole. Safe under threads and fork; pickles as its path and version."""

    def __init__(self, raw: _transect.Store) -> None:
        self._handle: _transect.Store | None = raw
        self.path: str = str(raw.path)
        self.version: int = raw.version
        self.id: str = raw.id
        self.row_count: int = raw.row_count
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
        return _reopened, (self.path, self.version)

    def close(self) -> None:
        """Lets go of the version. Frames that were handed out stay as they are."""
        self._handle = None

    @property
    def dates(self) -> np.ndarray:
        """The dates that have rows, ascending, as datetime64[D]."""
        return _days(self._raw.dates())

    @property
    def stocks(self) -> list[str]:
        """The codes of all stocks, in code order."""
        return self._raw.stocks()

    @property
    def kept_versions(self) -> list[int]:
        """The versions that can be opened, ascending."""
        return self._raw.kept_versions()

    def __arrow_c_schema__(self) -> object:
        return self._raw.schema()

    def _answer(
        self,
        columns: Sequence[str] | None = None,
        start: Any = None,
        end: Any = None,
        dates: Sequence[Any] | None = None,
        stocks: Sequence[str] | None = None,
        codes: str = "view",
        at: Mapping[str, object] | None = None,
    ) -> Any:
        """What is asked for, found."""
        if isinstance(columns, str):
            raise TypeError(f"columns is a list of names; write [{columns!r}]")
        if isinstance(stocks, str):
            raise TypeError(f"stocks is a list of codes; write [{stocks!r}]")
        days = None if dates is None else [_dates.day(date) for date in dates]
        first, last = _dates.maybe_day(start), _dates.maybe_day(end)
        columns = None if columns is None else list(columns)
        stocks = None if stocks is None else list(stocks)
        values = [(name, str(value)) for name, value in (at or {}).items()]
        return self._raw.answer(columns, first, last, days, stocks, codes, values)

    def section(self, date: DateLike, columns: Sequence[str] | None = None) -> Section:
        """All stocks on one date. Raises NotFound, naming the nearest dates."""
        day = _dates.day(date)
        # Says which dates are near, where there is no such date.
        self._raw.section(day)
        return Section(self, day, columns)

    def series(
        self,
        code: str,
        columns: Sequence[str] | None = None,
        start: DateLike | None = None,
        end: DateLike | None = None,
    ) -> StockSeries:
        """One stock over time. Raises NotFound, naming codes that it may be a slip of."""
        return StockSeries(code, self._answer(columns, start, end).series(code))

    def scan(
        self,
        start: DateLike | None = None,
        end: DateLike | None = None,
        columns: Sequence[str] | None = None,
        *,
        dates: Sequence[DateLike] | None = None,
        stocks: Sequence[str] | None = None,
    ) -> Scan:
        """Sections of many dates, each read when it is asked for. Both ends are included."""
        return Scan(self, self._answer(columns, start, end, dates, stocks), columns, stocks)

    def matrix(
        self,
        column: str,
        start: DateLike | None = None,
        end: DateLike | None = None,
        *,
        stocks: Sequence[str] | None = None,
        at: Mapping[str, object] | None = None,
        fill: float | int | None = None,
    ) -> Matrix:
        """One column, dates x stocks, dense and writable; NaN, or `fill`, where there is no value.

        A panel with further key columns needs one value of each: `at={"time": "14:55:00"}`. Integers and booleans have
        no NaN and need a `fill`. Takes 8 bytes a cell for doubles.
        """
        answer = self._answer([column], start, end, stocks=stocks, at=at)
        if column not in self.columns:
            raise NotFound(f"{column!r} is a key of the panel and no value; name another column")
        return Matrix(column, _days(answer.dates()), answer.matrix(fill))

    def lazy(self) -> pl.LazyFrame:
        """A Polars scan: projections, predicates on date and code, and limits are pushed down."""
        from ._lazy import scan

        return scan(self)

    def log(self) -> list[VersionEntry]:
        """All versions up to this one, oldest first."""
        return [VersionEntry(entry) for entry in json.loads(self._raw.log())]

    def info(self) -> StoreInfo:
        """The store in numbers."""
        return StoreInfo(json.loads(self._raw.info()))

    def diff(self, older: Store | int | None = None, *, progress: Progress = None) -> DiffReport:
        """What changed from `older`, the version before this one unless given, by date and by column, in numbers."""
        if older is None:
            before = [version for version in self.kept_versions if version < self.version]
            if not before:
                raise NotFound(f"{self.path} keeps no version before {self.version} to compare it with")
            older = before[-1]
        raw = older._raw if isinstance(older, Store) else open(self.path)._raw.other_version(older)
        with watcher(progress) as told:
            return DiffReport(json.loads(self._raw.diff(raw, told)))

    def verify(self, *, progress: Progress = None) -> VerifyReport:
        """Compares every checksum of every version that is kept."""
        with watcher(progress) as told:
            return VerifyReport(json.loads(self._raw.verify(told)))

    def reload(self) -> Store:
        """The live version, if it is another by now; else this one."""
        live = open(self.path)
        return self if live.version == self.version else live


def _reopened(path: str, version: int) -> Store:
    return open(path, version=version)


__all__ = ["Frame", "Store", "open"]
