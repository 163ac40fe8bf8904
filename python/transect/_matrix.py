"""A dense matrix of one column."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    import pandas as pd
    import xarray as xr


class Matrix:
    """One column as dates x stocks, owned and writable: what `Store.matrix` gives.

    `values` has NaN, or `fill`, where there is no value; `present` tells where there is a row, `valid` where it has a
    value. `numpy.asarray` gives the values. Instants are those of UTC, without a zone.

    >>> matrix = store.matrix("volume", fill=-1)
    >>> matrix
    <Matrix 'volume': 4 dates x 3 stocks of int64>
    >>> matrix.values[1:]
    array([[ 733610,      -1, 2022929],
           [ 864193, 1000000, 2155107],
           [1199115, 1010000,      -1]])
    >>> bool(matrix.present[1, 1]), bool(matrix.valid[1, 1])    # a row, whose value is null
    (True, False)
    >>> bool(matrix.present[3, 2])                              # no row: it did not trade
    False
    """

    column: str
    """The column's name."""
    dates: np.ndarray
    """What its rows are, as datetime64[D]."""
    stocks: list[str]
    """What its columns are."""
    shape: tuple[int, int]
    """How many dates and stocks."""
    values: np.ndarray
    """The values; yours to change."""

    def __init__(self, column: str, dates: np.ndarray, raw: tuple[Any, str, Any, Any, list[str]]) -> None:
        import numpy as np

        values, kind, self._rows, self._valid, self.stocks = raw
        self.column, self.dates = column, dates
        self.shape = (len(dates), len(self.stocks))
        cells = np.frombuffer(values, dtype=kind) if len(values) else np.empty(0, dtype=kind)
        self.values = cells.reshape(self.shape)

    def __repr__(self) -> str:
        return f"<Matrix {self.column!r}: {self.shape[0]} dates x {self.shape[1]} stocks of {self.values.dtype}>"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        import numpy as np

        if copy is False and dtype is not None and self.values.dtype != dtype:
            raise ValueError(f"the matrix is of {self.values.dtype}; as {dtype} it is a copy")
        if dtype is not None and not self._holds_holes(np.dtype(dtype)):
            kind = np.dtype(dtype)
            raise ValueError(f"the matrix has cells without a value, of which {kind} has none; fill them first")
        values: np.ndarray = self.values if dtype is None else self.values.astype(dtype, copy=False)
        return values.copy() if copy else values

    def _holds_holes(self, dtype: np.dtype) -> bool:
        """Whether what stands in cells without a value is none in this type either."""
        import numpy as np

        if dtype.kind in "fcO" or dtype.kind == self.values.dtype.kind:
            return True
        if self.values.dtype.kind in "fM":
            return not np.isnan(self.values).any()
        # Integers have the fill that was chosen, and as booleans it would be true.
        return dtype.kind in "iu" or bool(self.valid.all())

    def _bits(self, bits: Any) -> np.ndarray:
        import numpy as np

        count = self.shape[0] * self.shape[1]
        bytes_ = np.unpackbits(np.frombuffer(bits, dtype=np.uint8), count=count, bitorder="little")
        return bytes_.view(np.bool_).reshape(self.shape)

    @property
    def present(self) -> np.ndarray:
        """Where the panel has a row, and the universe has it too, as booleans of the shape of `values`; made anew each
        time.

        >>> store.matrix("close").present[3]
        array([ True,  True, False])
        """
        return self._bits(self._rows)

    @property
    def valid(self) -> np.ndarray:
        """Where it has a value, a row and no null in it, as booleans of the shape of `values`; made anew each time.

        >>> store.matrix("volume", fill=0).valid[1]
        array([ True, False,  True])
        """
        return self._bits(self._valid)

    def to_pandas(self) -> pd.DataFrame:
        """Dates down, stocks across. The values are not copied: who writes to the frame writes to the matrix.

        >>> store.matrix("close", start=20240104).to_pandas()
                    000001.SZ  600000.SH  600519.SH
        2024-01-04       9.11       6.63     1669.0
        2024-01-05       9.27       6.67        NaN
        """
        import pandas as pd

        dates = pd.DatetimeIndex(self.dates.astype("M8[us]"))
        return pd.DataFrame(self.values, index=dates, columns=self.stocks, copy=False)

    def to_xarray(self) -> xr.DataArray:
        """With the dimensions `date` and `code`; the values are not copied.

        >>> float(store.matrix("close").to_xarray().sel(date="2024-01-03", code="600519.SH"))
        1694.0
        """
        import xarray as xr

        coords = {"date": self.dates.astype("M8[us]"), "code": self.stocks}
        return xr.DataArray(self.values, dims=("date", "code"), coords=coords, name=self.column)
