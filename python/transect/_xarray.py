"""A store as an xarray dataset: `xarray.open_dataset("panel.store", engine="transect")`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr
from xarray.backends import BackendArray, BackendEntrypoint
from xarray.core import indexing

from ._errors import NotFound
from ._options import values as values_of
from ._store import Store, open


class TransectBackend(BackendEntrypoint):
    """Opens stores. Each column of numbers or times is a variable of the dimensions `date` and `code`, read when its
    values are asked for, and then only at the dates and stocks that are: as `Store.matrix` has it, with integers and
    booleans as doubles, since a panel has holes. Instants are those of UTC, without a zone. Texts are left out.

    >>> import xarray as xr
    >>> panel = xr.open_dataset("panel.store", engine="transect")
    >>> dict(panel.sizes), list(panel.data_vars)
    ({'date': 4, 'code': 3}, ['close', 'volume', 'is_member'])
    >>> float(panel["close"].sel(code="600519.SH").max())
    1694.0
    """

    description = "Stores of transect, lazily: dates x codes"
    open_dataset_parameters = (
        "filename_or_obj",
        "mask_and_scale",
        "decode_times",
        "concat_characters",
        "decode_coords",
        "drop_variables",
        "use_cftime",
        "decode_timedelta",
        "version",
        "as_of",
        "io",
        "at",
    )

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        mask_and_scale: Any = None,
        decode_times: Any = None,
        concat_characters: Any = None,
        decode_coords: Any = None,
        drop_variables: str | Iterable[str] | None = None,
        use_cftime: Any = None,
        decode_timedelta: Any = None,
        version: int | None = None,
        as_of: Any = None,
        io: Literal["map", "read"] = "map",
        at: Mapping[str, object] | None = None,
    ) -> xr.Dataset:
        """Of the store at a path, or of one that is open, which stays so when the dataset is closed.

        `version`, `as_of` and `io` are those of `transect.open`, `at` that of `Store.matrix`. A store has values as
        they are meant: the arguments that say how to decode them change nothing.
        """
        is_open = isinstance(filename_or_obj, Store) and version is None and as_of is None
        path = filename_or_obj._full_path if isinstance(filename_or_obj, Store) else filename_or_obj
        store = filename_or_obj if is_open else open(path, version=version, as_of=as_of, io=io)
        dropped = {drop_variables} if isinstance(drop_variables, str) else set(drop_variables or ())
        of_key = {} if at is None else values_of("at", at)
        variables = {}
        for name in store.columns:
            kind = _dtype(store.schema[name])
            if kind is not None and name not in dropped:
                lazy = indexing.LazilyIndexedArray(_Values(store, name, kind, of_key))
                variables[name] = xr.Variable(("date", "code"), lazy)
        coords = {"date": store.dates.astype("M8[us]"), "code": store.stocks}
        dataset = xr.Dataset(variables, coords, {"version": store.version, "id": store.id})
        if not is_open:
            dataset.set_close(store.close)
        return dataset

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Whether it is a store, or one lies there."""
        if isinstance(filename_or_obj, Store):
            return True
        try:
            path = os.fspath(filename_or_obj)
        except TypeError:
            return False
        return os.path.isfile(os.path.join(path, "CURRENT")) and os.path.isdir(os.path.join(path, "catalog"))


def _dtype(kind: str) -> np.dtype | None:
    """The type of a variable of a column of this type; `None` for what no matrix has."""
    if kind == "Float32":
        return np.dtype("f4")
    if kind == "Date32":
        return np.dtype("M8[s]")
    if kind.startswith("Timestamp"):
        unit = kind.removeprefix("Timestamp(").split(",")[0].rstrip(")")
        return np.dtype(f"M8[{unit.replace('µs', 'us')}]")
    if kind.startswith(("Int", "UInt", "Float", "Boolean", "Decimal")) and kind != "Interval":
        return np.dtype("f8")
    return None


class _Values(BackendArray):
    """One column, not read yet."""

    def __init__(self, store: Store, column: str, dtype: np.dtype, at: Mapping[str, object]) -> None:
        self.store, self.column, self.dtype, self.at = store, column, dtype, at
        self.shape = (len(store.dates), len(store.stocks))

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        outer = indexing.IndexingSupport.OUTER
        return indexing.explicit_indexing_adapter(key, self.shape, outer, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        places = [np.arange(length)[part] for part, length in zip(key, self.shape, strict=True)]
        # A matrix has each date once, ascending, and each stock once.
        (dates, of_date), (stocks, of_stock) = (np.unique(place, return_inverse=True) for place in places)
        days = list(self.store.dates[dates])
        codes = self.store.stocks
        chosen = None if len(stocks) == len(codes) else [codes[stock] for stock in stocks]
        fill = np.nan if self.dtype.kind == "f" else None
        try:
            values = self.store._matrix(self.column, fill, dates=days, stocks=chosen, at=self.at).values
        except NotFound as error:
            # What is read at once are some dates of the whole, on which no row need have the value.
            if error.kind != "value":
                raise
            values = np.full((len(days), len(stocks)), "NaT" if self.dtype.kind == "M" else np.nan, self.dtype)
        values = values.astype(self.dtype, copy=False)
        return values[np.ix_(of_date.ravel(), of_stock.ravel())].reshape([*places[0].shape, *places[1].shape])
