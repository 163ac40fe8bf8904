"""A store as a Polars scan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from ._store import Store

# Dates that are read at a time: under a limit one first, since it may ask for few rows, then more.
_MOST_DATES = 64


def scan(store: Store) -> pl.LazyFrame:
    """A lazy frame over all dates: projections, predicates on the key, and limits are pushed down."""
    import polars as pl
    from polars.io.plugins import register_io_source

    schema = pl.DataFrame(store.scan(dates=[])).schema

    def source(
        with_columns: list[str] | None,
        predicate: pl.Expr | None,
        n_rows: int | None,
        batch_size: int | None,
    ) -> Iterator[pl.DataFrame]:
        names = list(schema) if with_columns is None else with_columns
        needed = {*names, *(predicate.meta.root_names() if predicate is not None else [])}
        columns = [name for name in store.columns if name in needed]
        left = n_rows
        for rows in _read(store, columns, _conjuncts(predicate), 1 if left is not None else _MOST_DATES):
            # The predicate itself decides about what is read.
            frame = rows if predicate is None else rows.filter(predicate)
            frame = frame.select(names)
            if left is not None:
                frame = frame.head(left)
                left -= len(frame)
            yield frame
            if left is not None and left <= 0:
                return

    return register_io_source(source, schema=schema, validate_schema=False, is_pure=True)


def _read(store: Store, columns: list[str], parts: list[pl.Expr], count: int) -> Iterator[pl.DataFrame]:
    """The rows that the parts of a conjunction may leave, so far as those that concern the key alone tell; of `count`
    dates at first."""
    import polars as pl

    code, date = store.code_column, store.date_column
    of_date = [part for part in parts if set(part.meta.root_names()) == {date}]
    of_code = [part for part in parts if set(part.meta.root_names()) == {code}]
    key = {code, date, *store.key}
    of_key = [part for part in parts if set(part.meta.root_names()) - {code, date} and not _beside(part, key)]
    # Polars alone is enough: these are no arrays of numpy.
    days = list(memoryview(store._raw.dates()).cast("i"))
    dates: Any = pl.Series(date, days, pl.Int32).cast(pl.Date)
    if of_date:
        dates = pl.DataFrame(dates).filter(of_date)[date]
    stocks = None
    if of_code:
        stocks = pl.DataFrame({code: store.stocks}).filter(of_code)[code].to_list()
        if len(stocks) == 1:
            answer = store._answer(columns, dates=dates)
            yield pl.DataFrame(store._series(stocks[0], answer))
            return
    start = 0
    while start < len(dates) and stocks != []:
        some = dates[start : start + count]
        start, count = start + count, min(2 * count, _MOST_DATES)
        if of_key:
            keys = pl.DataFrame(store.scan(dates=some, stocks=stocks, columns=store.key)).filter(of_key)
            some = keys[date].unique().sort()
        if len(some):
            yield pl.DataFrame(store.scan(dates=some, stocks=stocks, columns=columns))


def _beside(part: pl.Expr, key: set[str]) -> bool:
    """Whether it looks at more than the key."""
    return not set(part.meta.root_names()) <= key


def _conjuncts(predicate: pl.Expr | None) -> list[pl.Expr]:
    """The parts that must all hold."""
    parts: list[pl.Expr] = []
    rest = [] if predicate is None else [predicate]
    while rest:
        part = rest.pop()
        inputs = part.meta.pop()
        if len(inputs) == 2 and any(part.meta.eq(one & other) for one, other in (inputs, inputs[::-1])):
            rest += inputs
        else:
            parts.append(part)
    return parts
