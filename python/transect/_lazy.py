"""A store as a Polars scan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from ._store import Store


def scan(store: Store) -> pl.LazyFrame:
    """A lazy frame over all dates: projections, predicates and limits are pushed down."""
    import polars as pl
    from polars.io.plugins import register_io_source

    code, date = store.code_column, store.date_column
    schema = pl.DataFrame(store.scan(dates=[])).schema

    def source(
        with_columns: list[str] | None,
        predicate: pl.Expr | None,
        n_rows: int | None,
        batch_size: int | None,
    ) -> Iterator[pl.DataFrame]:
        names = list(schema) if with_columns is None else with_columns
        needed = set(names) | (set(predicate.meta.root_names()) if predicate is not None else set())
        dates, stocks = store.dates, None
        if predicate is not None:
            # What the keys alone rule out is not read; the predicate itself decides about what is.
            roots = set(predicate.meta.root_names())
            if roots == {date}:
                dates = pl.DataFrame({date: dates}).filter(predicate)[date].to_numpy()
            elif roots == {code}:
                stocks = pl.DataFrame({code: store.stocks}).filter(predicate)[code].to_list()
            else:
                dates = _possible(pl.DataFrame({date: dates}), predicate, date)
        columns = [name for name in store.columns if name in needed]
        left = n_rows
        for _, section in store.scan(dates=list(dates), stocks=stocks, columns=columns):
            if left is not None and left <= 0:
                return
            frame = pl.DataFrame(section)
            if predicate is not None:
                frame = frame.filter(predicate)
            frame = frame.select(names)
            if left is not None:
                frame = frame.head(left)
                left -= len(frame)
            yield frame

    return register_io_source(source, schema=schema, validate_schema=False, is_pure=True)


def _possible(dates: pl.DataFrame, predicate: pl.Expr, name: str):  # noqa: ANN202
    """The dates that parts of a conjunction leave."""
    import polars as pl

    kept = dates
    rest = [predicate]
    while rest:
        part = rest.pop()
        if part.meta.root_names() and set(part.meta.root_names()) == {name}:
            kept = kept.filter(part)
            continue
        # `a & b` has two inputs, and both must hold.
        inputs = part.meta.pop()
        if len(inputs) == 2 and part.meta.eq(inputs[1] & inputs[0]):
            rest += inputs
        elif len(inputs) == 2 and part.meta.eq(inputs[0] & inputs[1]):
            rest += inputs
    return kept[name].to_numpy()
