"""Rows in place: what other packages take without a copy."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from . import _dates

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from ._store import Store


class Column:
    """One column. `numpy.asarray` looks at the map in place where all rows have a number; with nulls it copies, and has
    NaN for them (NaT in times, None in texts). Null is never 0."""

    def __init__(self, name: str, raw: Any) -> None:
        self.name = name
        self._raw = raw

    def __len__(self) -> int:
        return len(self._raw)

    def __repr__(self) -> str:
        return f"<Column {self.name!r}: {len(self)} rows of {self._raw.type_name}>"

    @property
    def null_count(self) -> int:
        """How many rows are null."""
        return self._raw.null_count

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        import numpy as np

        raw = self._raw
        found = raw.values()
        if found is None:
            if copy is False:
                raise ValueError(f"column {self.name!r} is {raw.type_name}, and numpy has no view of it; let it copy")
            booleans = raw.booleans()
            if booleans is not None:
                values = np.frombuffer(booleans, dtype="?")
            elif (texts := raw.texts()) is not None:
                return np.array(texts, dtype=object if dtype is None else dtype)
            else:
                return self._through_arrow(dtype)
        else:
            values = np.frombuffer(found[0], dtype=found[1])
            if raw.type_name == "Date32":
                if copy is False:
                    raise ValueError(f"column {self.name!r} has dates of 32 bits, and numpy none; let it copy")
                values = values.astype("M8[D]")
        if raw.null_count:
            if copy is False:
                count = raw.null_count
                raise ValueError(f"column {self.name!r} has {count} nulls, which no view can tell; let it copy")
            values = self._with_holes(values)
        elif copy:
            values = values.copy()
        if dtype is not None and values.dtype != dtype:
            if copy is False:
                raise ValueError(f"column {self.name!r} is {values.dtype}; as {dtype} it is a copy")
            values = values.astype(dtype)
        return values

    def _with_holes(self, values: np.ndarray) -> np.ndarray:
        import numpy as np

        holes = ~np.frombuffer(self._raw.valid(), dtype="?")
        if values.dtype.kind == "M":
            values = values.copy()
            values[holes] = np.datetime64("NaT")
            return values
        floats = values if values.dtype.kind == "f" else values.astype("f8")
        if values.dtype.kind in "iu" and values.dtype.itemsize == 8 and (floats.astype(values.dtype) != values).any():
            raise ValueError(f"column {self.name!r} has nulls, and integers that no double holds; use to_arrow")
        floats = floats.copy() if floats is values else floats
        floats[holes] = np.nan
        return floats

    def _through_arrow(self, dtype: Any) -> np.ndarray:
        kind = self._raw.type_name
        raise TypeError(f"column {self.name!r} is {kind}, which numpy has not; use to_arrow or to_polars")


class Frame:
    """Rows in place. pyarrow, Polars, DuckDB, pandas, arro3 and nanoarrow take it as it is."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.columns: list[str] = raw.names()

    def __len__(self) -> int:
        return len(self._raw)

    def __getitem__(self, name: str) -> Column:
        try:
            return Column(name, self._raw.column(self.columns.index(name)))
        except ValueError:
            raise KeyError(f"{name!r}; there are {', '.join(self.columns)}") from None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self)} rows x {len(self.columns)} columns>"

    def __arrow_c_schema__(self) -> object:
        return self._raw.schema()

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        return self._raw.array()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._raw.stream()

    def _coded(self, codes: str) -> Frame:
        """The same rows with codes of that kind."""
        return self

    def _index(self) -> list[str]:
        return []

    def to_arrow(self) -> pa.Table:
        """As a `pyarrow.Table`; numbers are not copied, and codes are `string`."""
        import pyarrow as pa

        table = pa.table(self)
        codes = table.column(0)
        return table.set_column(0, self.columns[0], codes.cast(pa.string())) if codes.type == "string_view" else table

    def to_polars(self, *, codes: Literal["text", "categorical"] = "text") -> pl.DataFrame:
        """As a `polars.DataFrame`; numbers are not copied. Dates are `Date`, codes text or categorical."""
        import polars as pl

        return pl.DataFrame(self._coded(codes))

    def to_pandas(
        self,
        *,
        index: bool = True,
        types: Literal["numpy", "pyarrow"] = "numpy",
        codes: Literal["text", "categorical"] = "text",
    ) -> pd.DataFrame:
        """As a `pandas.DataFrame`: numbers without nulls are not copied, integers with nulls become doubles with NaN.

        Dates are datetime64[us]. The index is the natural one (code; date; or both), unless `index=False`.
        """
        import pandas as pd

        if types == "pyarrow":
            frame = self.to_arrow().to_pandas(types_mapper=pd.ArrowDtype)
        else:
            series = {name: self._pandas_column(name) for name in self.columns}
            frame = pd.DataFrame(series, copy=False)
        if codes == "categorical":
            frame[self.columns[0]] = frame[self.columns[0]].astype("category")
        keys = self._index() if index else []
        return frame.set_index(keys) if keys else frame

    def _pandas_column(self, name: str) -> Any:
        import pandas as pd

        column = self[name]
        raw = column._raw
        if raw.type_name == "Date32":
            return column.__array__().astype("M8[us]")
        if raw.values() is None and raw.booleans() is None and raw.texts() is None:
            import pyarrow as pa

            return pa.table(self).column(name).to_pandas()
        if raw.booleans() is not None and raw.null_count:
            return pd.array([None if value != value else bool(value) for value in column.__array__()], dtype="boolean")
        return column.__array__()

    def to_numpy(self, columns: Sequence[str] | None = None) -> np.ndarray:
        """The named columns side by side, all numbers by default; rows down."""
        import numpy as np

        if columns is None:
            columns = [name for name in self.columns if self[name]._raw.type_name.startswith(("Int", "UInt", "Float"))]
        return np.column_stack([np.asarray(self[name]) for name in columns])


class Section(Frame):
    """All stocks on one date, by code."""

    def __init__(
        self,
        store: Store,
        day: int,
        columns: Sequence[str] | None,
        stocks: Sequence[str] | None = None,
        raw: Any = None,
        codes: str = "view",
    ) -> None:
        self._asked = (store, day, columns, stocks)
        self.date: datetime.date = _dates.date(day)
        super().__init__(raw or store._answer(columns, dates=[self.date], stocks=stocks, codes=codes).batch(0))

    @property
    def changed(self) -> int:
        """The version in which its rows last changed."""
        store, day, *_ = self._asked
        return store._raw.section(day)[0]

    @property
    def codes(self) -> list[str]:
        """The rows' codes, ascending."""
        return self._raw.column(0).texts()

    def _coded(self, codes: str) -> Frame:
        return self if codes == "text" else Section(*self._asked, codes=codes)

    def _index(self) -> list[str]:
        return self.columns[:1]


class StockSeries(Frame):
    """One stock over time, by date and key."""

    def __init__(self, code: str, raw: Any) -> None:
        super().__init__(raw)
        self.code = code

    def _index(self) -> list[str]:
        return self.columns[1:2]


class Scan:
    """Sections of many dates, lazily: iterates as (date, Section), streams as Arrow, a batch a date."""

    def __init__(
        self, store: Store, answer: Any, columns: Sequence[str] | None, stocks: Sequence[str] | None
    ) -> None:
        self._store, self._answer, self._asked = store, answer, (columns, stocks)
        self.columns: list[str] = answer.names()

    @property
    def dates(self) -> np.ndarray:
        """The dates, as datetime64[D]."""
        return _days(self._answer.dates())

    def __len__(self) -> int:
        return self._answer.row_count()

    def __iter__(self) -> Iterator[tuple[datetime.date, Section]]:
        for index, day in enumerate(memoryview(self._answer.dates()).cast("i")):
            section = Section(self._store, day, *self._asked, raw=self._answer.batch(index))
            yield section.date, section

    def __arrow_c_schema__(self) -> object:
        return self._answer.schema()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._answer.stream()

    def to_arrow(self) -> pa.Table:
        """As a `pyarrow.Table`."""
        import pyarrow as pa

        return pa.table(self)

    def to_polars(self) -> pl.DataFrame:
        """As a `polars.DataFrame`."""
        import polars as pl

        return pl.DataFrame(self)

    def to_pandas(self, *, index: bool = True) -> pd.DataFrame:
        """As a `pandas.DataFrame`, indexed by date and code unless `index=False`."""
        import pandas as pd

        parts = [frame.to_pandas(index=False) for _, frame in self]
        frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=self.columns)
        return frame.set_index([self.columns[1], self.columns[0]]) if index else frame


def _days(buffer: Any) -> np.ndarray:
    import numpy as np

    return np.frombuffer(buffer, dtype="<i4").astype("M8[D]")
