"""A store as a Polars scan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from ._store import Store

# Dates that are read at a time.
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
        # A limit counts rows before the predicate looks at them: then it rules none of them out.
        read = _read(store, columns, _conjuncts(predicate)) if n_rows is None else _first(store, columns, n_rows)
        for rows in read:
            # The predicate itself decides about what is read.
            yield (rows if predicate is None else rows.filter(predicate)).select(names)

    return register_io_source(source, schema=schema, validate_schema=False, is_pure=True)


def _first(store: Store, columns: list[str], left: int) -> Iterator[pl.DataFrame]:
    """The first `left` rows; of one date first, since they may be few, then of more."""
    import polars as pl

    dates = _all_dates(store)
    start, count = 0, 1
    while start < len(dates) and left > 0:
        rows = store.scan(dates=dates[start : start + count], columns=columns).to_polars().head(left)
        yield rows
        left -= len(rows)
        start, count = start + count, min(2 * count, _MOST_DATES)


def _all_dates(store: Store) -> Any:
    import polars as pl

    # Polars alone is enough: these are no arrays of numpy.
    days = list(memoryview(store._raw.dates()).cast("i"))
    return pl.Series(store.date_column, days, pl.Int32).cast(pl.Date)


def _read(store: Store, columns: list[str], parts: list[pl.Expr]) -> Iterator[pl.DataFrame]:
    """The rows that the parts of a conjunction may leave, so far as those that concern the key alone tell."""
    import polars as pl

    code, date = store.code_column, store.date_column
    of_date = [part for part in parts if set(part.meta.root_names()) == {date}]
    of_code = [part for part in parts if set(part.meta.root_names()) == {code}]
    key = {code, date, *store.key}
    of_key = [part for part in parts if set(part.meta.root_names()) - {code, date} and not _beside(part, key)]
    dates = _all_dates(store)
    if of_date:
        dates = pl.DataFrame(dates).filter(of_date)[date]
    stocks = None
    if of_code:
        stocks = pl.DataFrame({code: store.stocks}).filter(of_code)[code].to_list()
        if len(stocks) == 1:
            answer = store._answer(columns, dates=dates)
            yield pl.DataFrame(store._series(stocks[0], answer))
            return
    for start in range(0, 0 if stocks == [] else len(dates), _MOST_DATES):
        some = dates[start : start + _MOST_DATES]
        if of_key:
            keys = store.scan(dates=some, stocks=stocks, columns=store.key).to_polars().filter(of_key)
            some = keys[date].unique().sort()
        if len(some):
            yield store.scan(dates=some, stocks=stocks, columns=columns).to_polars()


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
