"""A dense matrix of one column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import xarray as xr


class Matrix:
    """Dates x stocks, owned and writable. `values` has NaN (or `fill`) where there is no value; `present` tells where
    there is a row, `valid` where it has a value."""

    def __init__(self, column: str, dates: np.ndarray, raw: tuple[Any, str, Any, Any, list[str]]) -> None:
        import numpy as np

        values, kind, self._rows, self._valid, self.stocks = raw
        self.column, self.dates = column, dates
        self.shape = (len(dates), len(self.stocks))
        cells = np.frombuffer(values, dtype=kind) if len(values) else np.empty(0, dtype=kind)
        self.values: np.ndarray = cells.reshape(self.shape)

    def __repr__(self) -> str:
        return f"<Matrix {self.column!r}: {self.shape[0]} dates x {self.shape[1]} stocks of {self.values.dtype}>"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        values = self.values if dtype is None else self.values.astype(dtype, copy=False)
        return values.copy() if copy else values

    def _bits(self, bits: Any) -> np.ndarray:
        import numpy as np

        count = self.shape[0] * self.shape[1]
        bytes_ = np.unpackbits(np.frombuffer(bits, dtype="u1"), count=count, bitorder="little")
        return bytes_.view("?").reshape(self.shape)

    @property
    def present(self) -> np.ndarray:
        """Where the panel has a row."""
        return self._bits(self._rows)

    @property
    def valid(self) -> np.ndarray:
        """Where it has a value: a row, and no null in it."""
        return self._bits(self._valid)

    def to_pandas(self) -> pd.DataFrame:
        """Dates down, stocks across; the values are not copied."""
        import pandas as pd

        dates = pd.DatetimeIndex(self.dates.astype("M8[us]"))
        return pd.DataFrame(self.values, index=dates, columns=self.stocks, copy=False)

    def to_xarray(self) -> xr.DataArray:
        """With the dimensions `date` and `code`."""
        import xarray as xr

        coords = {"date": self.dates.astype("M8[ns]"), "code": self.stocks}
        return xr.DataArray(self.values, dims=("date", "code"), coords=coords, name=self.column)
