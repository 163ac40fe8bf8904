"""One column of some rows, for numpy, pandas and whoever takes Arrow."""

from __future__ import annotations

from . import _transect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import numpy as np


class Column:
    """One column. `numpy.asarray` looks at the map in place where all rows have a number; with nulls it copies, and has
    NaN for them (NaT in times, None in texts). Null is never 0, nor true: a type that has none is refused. Instants are
    those of UTC. pyarrow and Polars take it as it is.

    >>> import numpy as np
    >>> section = store.section("2024-01-03")
    >>> np.asarray(section["close"])
    array([   9.2 ,    6.61, 1694.  ])
    >>> np.asarray(section["volume"])
    array([ 733610.,      nan, 2022929.])
    >>> np.asarray(section["volume"], copy=False)
    Traceback (most recent call last):
    ...
    ValueError: column 'volume' has 1 null, which no view can tell; let it copy
    """

    name: str
    """Its name."""

    def __init__(self, name: str, raw: _transect.Column) -> None:
        self.name = name
        self._raw = raw

    def __len__(self) -> int:
        return len(self._raw)

    def __repr__(self) -> str:
        return f"<Column {self.name!r}: {len(self)} rows of {self._raw.type_name}>"

    @property
    def null_count(self) -> int:
        """How many rows are null.

        >>> store.section("2024-01-03")["volume"].null_count
        1
        """
        return self._raw.null_count

    def __arrow_c_schema__(self) -> object:
        return self._raw.schema()

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        return self._raw.array()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        import numpy as np

        raw = self._raw
        found = raw.values()
        if found is None:
            if copy is False:
                raise ValueError(f"column {self.name!r} is {raw.type_name}, and numpy has no view of it; let it copy")
            booleans = raw.booleans()
            if booleans is not None:
                values: np.ndarray = np.frombuffer(booleans, dtype=np.bool_)
            elif (texts := raw.texts()) is not None:
                self._check_holes(np.dtype(object if dtype is None else dtype), "O")
                return np.array(texts, dtype=object if dtype is None else dtype)
            else:
                kind = raw.type_name
                raise TypeError(f"column {self.name!r} is {kind}, which numpy has not; use to_arrow or to_polars")
        else:
            values = np.frombuffer(found[0], dtype=found[1])
            if raw.type_name == "Date32":
                if copy is False:
                    raise ValueError(f"column {self.name!r} has dates of 32 bits, and numpy none; let it copy")
                values = values.astype("M8[D]")
        if raw.null_count:
            if copy is False:
                raise ValueError(f"column {self.name!r} has {self._nulls()}, which no view can tell; let it copy")
            values = self._with_holes(values)
        elif copy:
            values = values.copy()
        if dtype is not None and values.dtype != dtype:
            if copy is False:
                raise ValueError(f"column {self.name!r} is {values.dtype}; as {dtype} it is a copy")
            self._check_holes(np.dtype(dtype), values.dtype.kind)
            values = values.astype(dtype)
        return values

    def _nulls(self) -> str:
        return f"{self.null_count} null{'s' if self.null_count > 1 else ''}"

    def _check_holes(self, dtype: np.dtype, own: str) -> None:
        """Refuses a type that has nothing that is no value, where values of the kind `own` have some."""
        # Texts have None, which numbers may have too.
        kinds = {"M": "MO", "O": "O"}.get(own, "fcO")
        if self.null_count and dtype.kind not in kinds:
            helps = "fill them first" if own == "O" else "ask for float64, or fill them first"
            helps = "ask for datetime64, or fill them first" if own == "M" else helps
            raise ValueError(f"column {self.name!r} has {self._nulls()}, of which {dtype} has none; {helps}")

    def _with_holes(self, values: np.ndarray) -> np.ndarray:
        import numpy as np

        holes = ~np.frombuffer(self._raw.valid(), dtype=np.bool_)
        if values.dtype.kind == "M":
            values = values.copy()
            values[holes] = np.datetime64("NaT")
            return values
        floats: np.ndarray = values if values.dtype.kind == "f" else values.astype("f8")
        if values.dtype.kind in "iu" and values.dtype.itemsize == 8 and (floats.astype(values.dtype) != values).any():
            raise ValueError(f"column {self.name!r} has nulls, and integers that no double holds; use to_arrow")
        floats = floats.copy() if floats is values else floats
        floats[holes] = np.nan
        return floats

    def _to_pandas(self) -> Any:
        """As a column of a pandas frame."""
        import pandas as pd

        raw, kind = self._raw, self._raw.type_name
        if kind == "Date32":
            return self.__array__().astype("M8[us]")
        if kind.startswith("Timestamp(") and '"' in kind:
            instants = pd.Series(self.__array__()).dt.tz_localize("UTC")
            return instants.dt.tz_convert(_zone(kind.split('"')[1]))
        if kind.startswith(("Time32(", "Time64(")):
            return self._clocks(kind)
        if raw.values() is not None:
            return self.__array__()
        if raw.booleans() is not None:
            if not raw.null_count:
                return self.__array__()
            return pd.array([None if value != value else bool(value) for value in self.__array__()], dtype="boolean")
        try:
            import pyarrow as pa
        except ImportError:
            return self._objects()
        values = pa.array(self)
        return (values.cast(pa.large_string()) if values.type == "string_view" else values).to_pandas()

    def _clocks(self, kind: str) -> np.ndarray:
        """Times of day, as pyarrow makes them for pandas."""
        import datetime

        import numpy as np

        found = self._raw.values()
        assert found is not None
        counts = np.frombuffer(found[0], dtype=found[1]).tolist()
        per_second = {"s": 1, "ms": 10**3, "µs": 10**6, "ns": 10**9}[kind[7:-1]]

        def clock(count: int) -> datetime.time:
            microseconds = count * 10**6 // per_second
            return (datetime.datetime.min + datetime.timedelta(microseconds=microseconds)).time()

        valid = np.frombuffer(self._raw.valid(), dtype=np.bool_).tolist()
        values = np.empty(len(counts), dtype=object)
        values[:] = [clock(count) if is_valid else None for count, is_valid in zip(counts, valid, strict=True)]
        return values

    def _objects(self) -> np.ndarray:
        """Decimals, bytes, and nothing, as pyarrow makes them for pandas; texts."""
        import numpy as np

        values = np.empty(len(self), dtype=object)
        if (decimals := self._raw.decimals()) is not None:
            import decimal

            values[:] = [None if text is None else decimal.Decimal(text) for text in decimals]
        elif (binaries := self._raw.binaries()) is not None:
            values[:] = binaries
        elif self._raw.type_name != "Null":
            return self.__array__()
        return values


def _zone(name: str) -> Any:
    """A zone as pandas takes it: an offset is none of its names."""
    import datetime

    return datetime.datetime.strptime(name, "%z").tzinfo if name[:1] in ("+", "-") else name
