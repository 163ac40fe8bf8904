"""Rows in place: what other packages take without a copy."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence

from . import _dates, _transect
from ._column import Column, doubles, instants
from ._options import flag, named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal, TypeAlias

    import numpy as np
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from ._store import Store

    Codes: TypeAlias = Literal["text", "categorical"]

_NUMBERS = ("Int", "UInt", "Float")


class Frame:
    """Rows in place: pyarrow, Polars, DuckDB, pandas, arro3 and nanoarrow take it as it is.

    >>> import duckdb
    >>> section = store.section("2024-01-02")
    >>> duckdb.sql("select max(close) from section").fetchall()
    [(1685.01,)]
    """

    columns: list[str]
    """Names of the columns: code and date first."""

    def __init__(self, raw: _transect.Batch) -> None:
        self._raw = raw
        self.columns = raw.names()

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._raw)

    def __getitem__(self, name: str) -> Column:
        """The column of that name. Raises KeyError, naming those that there are."""
        try:
            index = self.columns.index(name)
        except ValueError:
            raise KeyError(f"{name!r}; there are {', '.join(self.columns)}") from None
        return self._column(name, index)

    def __contains__(self, name: object) -> bool:
        """Whether it has a column of that name."""
        return name in self.columns

    def _column(self, name: str, index: int) -> Column:
        return Column(name, self._raw.column(index))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self)} rows x {len(self.columns)} columns>"

    def __arrow_c_schema__(self) -> object:
        return self._raw.schema()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._raw.stream()

    def _coded(self, codes: Codes) -> Frame:
        """The same rows with codes of that kind."""
        return self

    def _index(self) -> list[str]:
        return []

    def _by(self, take: Callable[[Frame], Any]) -> Any:
        """What another package makes of it. Of Ctrl-C, and of what a stream ends with, it makes an error of its own."""
        try:
            return take(self)
        except Exception:
            _transect.look()
            self._check()
            raise

    def _check(self) -> None:
        """Raises what ended a stream, where something did."""

    def to_arrow(self) -> pa.Table:
        """As a `pyarrow.Table`. Numbers that the store keeps in their type are not copied; codes are `string`, dates
        `date32`. Texts of an input that has them as `string_view` are `large_string`, bytes `large_binary`: pyarrow can
        neither sort nor compare views.

        >>> store.section("2024-01-02").to_arrow().column_names
        ['ts_code', 'trade_date', 'close', 'volume', 'is_member', 'industry']
        """
        import pyarrow as pa

        table: pa.Table = self._by(pa.table)
        for at, field in enumerate(table.schema):
            if field.type == pa.string_view():
                text = pa.large_string() if at else pa.string()
                table = table.set_column(at, field.with_type(text), table.column(at).cast(text))
            elif field.type == pa.binary_view():
                binary = pa.large_binary()
                table = table.set_column(at, field.with_type(binary), table.column(at).cast(binary))
        return table

    def to_polars(self, *, codes: Codes = "text") -> pl.DataFrame:
        """As a `polars.DataFrame`. Numbers that the store keeps in their type are not copied; dates are `Date`, codes
        `String` or `Categorical`.

        >>> store.section("2024-01-02", ["close"]).to_polars()["close"].to_list()
        [9.21, 6.63, 1685.01]
        """
        _chosen("codes", codes, ("text", "categorical"))
        import polars as pl

        frame: pl.DataFrame = self._coded(codes)._by(pl.DataFrame)
        return frame

    def to_pandas(
        self,
        *,
        index: bool = True,
        types: Literal["numpy", "pyarrow"] = "numpy",
        codes: Codes = "text",
    ) -> pd.DataFrame:
        """As a `pandas.DataFrame`. Numbers without nulls that the store keeps in their type are not copied, and cannot be
        written to.

        Integers with nulls become doubles with NaN, booleans with nulls `boolean`, dates datetime64[us], instants of a
        zone datetimes of it, times of day datetime.time; with `types="pyarrow"` all keep their types. Raises Refused,
        naming the column, where a value would be rounded: an integer beside nulls that no double holds, nanoseconds of
        a time of day. The index is the natural one: a section's
        code, a series' date, a scan's date and code; none with `index=False`.

        >>> store.section("2024-01-03", ["close", "volume"]).to_pandas()[["close", "volume"]]
                     close     volume
        ts_code
        000001.SZ     9.20   733610.0
        600000.SH     6.61        NaN
        600519.SH  1694.00  2022929.0
        """
        index = flag("index", index)
        _chosen("types", types, ("numpy", "pyarrow"))
        _chosen("codes", codes, ("text", "categorical"))
        import pandas as pd

        if types == "pyarrow":
            frame = self._coded(codes).to_arrow().to_pandas(types_mapper=pd.ArrowDtype)
        else:
            keys = self._index() if index else []
            if len(keys) == 1 and codes == "text":
                # set_index takes longer than all the rest.
                frame = self._in_numpy(without=keys[0])
                frame.index = pd.Index(self[keys[0]]._to_pandas(), name=keys[0])
                return frame
            frame = self._in_numpy()
            if codes == "categorical":
                frame[self.columns[0]] = frame[self.columns[0]].astype("category")
        keys = self._index() if index else []
        return frame.set_index(keys) if keys else frame

    def _in_numpy(self, without: str | None = None) -> pd.DataFrame:
        """All columns but one in numpy's types. pyarrow, where it is there, makes all of them at once."""
        import pandas as pd

        try:
            import pyarrow as pa
        except ImportError:
            names = [name for name in self.columns if name != without]
            return pd.DataFrame({name: self[name]._to_pandas() for name in names}, copy=False)
        table = self._by(pa.table)
        if without is not None:
            table = table.drop_columns([without])
        own = {}
        for at, (name, kind) in enumerate(zip(table.column_names, table.schema.types, strict=True)):
            match kind.id:
                case pa.lib.Type_STRING_VIEW:
                    table = table.set_column(at, name, table.column(at).cast(pa.large_string()))
                case pa.lib.Type_DATE32 | pa.lib.Type_DATE64:
                    table = table.set_column(at, name, table.column(at).cast(pa.timestamp("us")))
                case pa.lib.Type_BOOL | pa.lib.Type_INT64 | pa.lib.Type_UINT64 if table.column(at).null_count:
                    own[name] = self[name]._to_pandas()
                case pa.lib.Type_TIME64 if kind.unit == "ns":
                    own[name] = self[name]._to_pandas()
            if name in own:
                table = table.set_column(at, name, pa.nulls(len(table)))
        frame: pd.DataFrame = table.to_pandas(split_blocks=True)
        for name, values in own.items():
            frame[name] = values
        return frame

    def to_numpy(self, columns: Sequence[str] | None = None) -> np.ndarray:
        """The named columns side by side, rows down; all numbers by default. A copy, with NaN for nulls, in the type
        that numpy has for all of them. Raises Refused, naming the column, where that would round a value.

        >>> store.section("2024-01-02").to_numpy(["close", "volume"]).shape
        (3, 2)
        """
        import numpy as np

        columns = named("columns", "names", columns)
        if columns is None:
            columns = [name for name in self.columns if self._type(name).startswith(_NUMBERS)]
        if not columns:
            return np.empty((len(self), 0))
        arrays = [np.asarray(self[name]) for name in columns]
        together = np.result_type(*arrays)
        for at, (name, values) in enumerate(zip(columns, arrays, strict=True)):
            if together.kind == "f" and values.dtype.kind in "iu":
                arrays[at] = doubles(name, values, "doubles or other integers").astype(together)
            elif together.kind == values.dtype.kind == "M" and values.dtype != together:
                arrays[at] = instants(name, values, together)
        return np.column_stack(arrays)

    def _type(self, name: str) -> str:
        return self[name]._raw.type_name


def _chosen(argument: str, value: object, of: tuple[str, str]) -> None:
    if value not in of:
        raise ValueError(f"{argument} is {of[0]!r} or {of[1]!r}, not {value!r}")


class Rows(Frame):
    """Rows in one piece."""

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        return self._raw.array()


class Section(Rows):
    """All stocks on one date, by code: what `Store.section` gives. It takes no memory until it is asked for, and keeps
    its part of the map alive, also after the store is closed. Numbers lie in the map as they are; integers that the
    store keeps narrower than the input had them are made anew each time. A date of more than 65,536 rows lies in pieces,
    and is put together at once.

    >>> section = store.section("2024-01-02")
    >>> section
    <Section 2024-01-02: 3 rows x 6 columns>
    >>> section.codes
    ['000001.SZ', '600000.SH', '600519.SH']
    """

    date: datetime.date
    """The date."""

    def __init__(self, store: Store, day: int, asked: dict[str, Any], raw: _transect.Batch) -> None:
        super().__init__(raw)
        self._store, self._asked = store, asked
        self.date = _dates.date(day)

    def __repr__(self) -> str:
        return f"<Section {self.date}: {len(self)} rows x {len(self.columns)} columns>"

    @property
    def changed(self) -> int:
        """The version in which its rows last changed.

        >>> store.section("2024-01-02").changed
        1
        """
        return self._store._raw.section(_dates.day(self.date))[0]

    @property
    def codes(self) -> list[str]:
        """The rows' codes, ascending; a copy.

        >>> store.section("2024-01-05").codes
        ['000001.SZ', '600000.SH']
        """
        return [code or "" for code in self._raw.column(0).texts() or []]

    def _coded(self, codes: Codes) -> Frame:
        if codes == "text":
            return self
        answer = self._store._answer(**self._asked, dates=[self.date], codes=codes)
        return Section(self._store, _dates.day(self.date), self._asked, answer.batch(0))

    def _index(self) -> list[str]:
        return self.columns[:1]


class StockSeries(Rows):
    """One stock over time, by date and key: what `Store.series` gives.

    >>> store.series("600519.SH", ["close"]).to_pandas()["close"].tolist()
    [1685.01, 1694.0, 1669.0]
    """

    code: str
    """The stock's code."""

    def __init__(self, code: str, raw: _transect.Batch) -> None:
        super().__init__(raw)
        self.code = code

    def __repr__(self) -> str:
        return f"<StockSeries {self.code}: {len(self)} rows x {len(self.columns)} columns>"

    def _index(self) -> list[str]:
        return self.columns[1:2]


class Scan(Frame):
    """Sections of many dates, lazily: what `Store.scan` gives. Iterates as (date, Section), and streams as Arrow, a
    batch a date. A column or a frame of all of it is a copy.

    >>> for date, section in store.scan(start=20240103, columns=["close"]):
    ...     print(date, len(section), float(section.to_numpy(["close"]).max()))
    2024-01-03 3 1694.0
    2024-01-04 3 1669.0
    2024-01-05 2 9.27
    """

    def __init__(self, store: Store, answer: _transect.Answer, asked: dict[str, Any], dates: dict[str, Any]) -> None:
        self._store, self._answer, self._asked, self._dates = store, answer, asked, dates
        self.columns: list[str] = answer.names()

    def __repr__(self) -> str:
        return f"<Scan: {len(self.dates)} dates x {len(self.columns)} columns>"

    @property
    def dates(self) -> np.ndarray:
        """The dates, ascending, as datetime64[D].

        >>> store.scan(start="2024-01-04").dates
        array(['2024-01-04', '2024-01-05'], dtype='datetime64[D]')
        """
        return _dates.array(self._answer.dates())

    def __len__(self) -> int:
        return self._answer.row_count()

    def __iter__(self) -> Iterator[tuple[datetime.date, Section]]:
        for index, day in enumerate(memoryview(self._answer.dates()).cast("i")):
            section = Section(self._store, day, self._asked, self._answer.batch(index))
            yield section.date, section

    def _column(self, name: str, index: int) -> Column:
        # Only what is asked for is read.
        values = [name] if index > 1 else []
        answer = self._store._answer(**{**self._asked, "columns": values}, **self._dates)
        return Column(name, answer.column(min(index, 2)))

    def __arrow_c_schema__(self) -> object:
        return self._answer.schema()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._answer.stream()

    def _check(self) -> None:
        self._answer.check()

    def _coded(self, codes: Codes) -> Frame:
        if codes == "text":
            return self
        answer = self._store._answer(**self._asked, **self._dates, codes=codes)
        return Scan(self._store, answer, self._asked, self._dates)

    def _index(self) -> list[str]:
        return [self.columns[1], self.columns[0]]
