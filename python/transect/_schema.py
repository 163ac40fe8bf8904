"""Names and types of a panel's columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from . import _transect

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pyarrow as pa


class Schema(Mapping[str, str]):
    """Names and types of the columns, in Arrow's words: code and date first. pyarrow and Polars take it as it is.

    >>> store.schema
    <Schema: ts_code Utf8, trade_date Utf8, close Float64, volume Int64, is_member Boolean, industry Utf8>
    >>> store.schema["close"]
    'Float64'
    """

    def __init__(self, raw: _transect.Store) -> None:
        self._raw = raw
        self._types: dict[str, str] = dict(raw.types())

    def __getitem__(self, name: str) -> str:
        return self._types[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._types)

    def __len__(self) -> int:
        return len(self._types)

    def __repr__(self) -> str:
        return f"<Schema: {', '.join(f'{name} {kind}' for name, kind in self._types.items())}>"

    def __arrow_c_schema__(self) -> object:
        return self._raw.schema()

    def to_arrow(self) -> pa.Schema:
        """As a `pyarrow.Schema`.

        >>> store.schema.to_arrow().field("close").type
        DataType(double)
        """
        import pyarrow as pa

        return pa.schema(self)
