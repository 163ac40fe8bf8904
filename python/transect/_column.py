"""One column of some rows, for numpy, pandas and whoever takes Arrow."""

from __future__ import annotations

from collections.abc import Iterator

from . import _transect
from ._errors import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import numpy as np


class Column:
    """One column. `numpy.asarray` gives a read-only view of the map where all rows have a number, and the store keeps it
    in the column's type and, being of 65,536 rows at most, in one piece; all else is made anew, as dates and booleans
    are. With nulls it copies, and has NaN for them (NaT in instants and dates, None in texts; times of day are counts of
    their unit, and have NaN). `copy=False` refuses what is no view. Null is never 0, nor true: a type that has none is
    refused, and so is an integer beside nulls that no double holds. Instants are those of UTC. pyarrow and Polars take
    it as it is, pandas as numpy has it: `frame["x"] = section["x"]`.

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

    def __iter__(self) -> Iterator[Any]:
        """Its values, as numpy has them; so pandas takes it as a column of a frame."""
        return iter(self.__array__())

    def __getitem__(self, rows: Any) -> Any:
        """Of a row, or of some, as numpy has them."""
        return self.__array__()[rows]

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
                raise TypeError(f"column {self.name!r} is {kind}, which numpy has not; pyarrow.array takes it")
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
        elif copy is False and raw.is_made:
            raise ValueError(f"column {self.name!r} does not lie in the map as {raw.type_name}; let it copy")
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
        floats: np.ndarray = values.copy() if values.dtype.kind == "f" else doubles(self.name, values, "nulls")
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
        if any(count * 10**6 % per_second for count, is_valid in zip(counts, valid, strict=True) if is_valid):
            what = f"column {self.name!r} has times of day with nanoseconds, which datetime.time has not"
            raise Refused(f"{what}; {_KEEPS}")
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


# What has every value as it is.
_KEEPS = 'to_pandas(types="pyarrow"), to_arrow and to_polars of its frame keep them'


def doubles(name: str, values: np.ndarray, beside: str) -> np.ndarray:
    """Integers of the column `name` as doubles, which they have to be since there are `beside` them what no integers
    are. Raises Refused where one would be rounded."""
    import numpy as np

    floats: np.ndarray = values.astype("f8")
    if values.dtype.itemsize == 8:
        # The next number after the greatest may come back as the greatest.
        holds = floats < (2.0**63 if values.dtype.kind == "i" else 2.0**64)
        if not holds.all() or (floats.astype(values.dtype) != values).any():
            what = f"column {name!r} has {beside} beside integers that no double holds"
            raise Refused(f"{what}; {_KEEPS}")
    return floats


def instants(name: str, values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Instants of the column `name` in a finer unit. Raises Refused where that does not reach them."""
    import numpy as np

    finer: np.ndarray = values.astype(dtype)
    if ((finer.astype(values.dtype) != values) & ~np.isnat(values)).any():
        raise Refused(f"column {name!r} has instants that {dtype} does not reach; take it without finer ones")
    return finer


def _zone(name: str) -> Any:
    """A zone as pandas takes it: an offset is none of its names."""
    import datetime

    return datetime.datetime.strptime(name, "%z").tzinfo if name[:1] in ("+", "-") else name
