"""Four engines, each of which reads inputs and computes the panel by itself, and reads what transect wrote.

A panel is an Arrow table with the columns code, date, then the rest in first-seen order, its rows by date, then code.
What an engine makes of a type is its own affair: outputs are compared with inputs as the same engine sees them.
"""

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

import transect

CODE = "ts_code"


def ordered(names, date, code=CODE):
    """Column names as a section has them."""
    return [code, date] + [name for name in names if name not in (code, date)]


class PyArrow:
    name = "pyarrow"

    def panel(self, files, date):
        tables = []
        for code, path in files:
            table = pq.ParquetFile(path).read()
            if CODE in table.column_names:
                table = table.drop_columns(CODE)
            table = table.append_column(CODE, pa.array([code] * len(table), pa.string()))
            tables.append(table.select(ordered(table.column_names, date)))
        return transect.in_order(pa.concat_tables(tables, promote_options="permissive"), date)

    def read(self, paths):
        # ParquetFile and not read_table: no dataset, no guesses from the path.
        return pa.concat_tables([pq.ParquetFile(path).read() for path in paths])


class Polars:
    name = "polars"

    def panel(self, files, date):
        frames = []
        for code, path in files:
            frame = pl.read_parquet(path, glob=False, hive_partitioning=False).with_columns(pl.lit(code).alias(CODE))
            frames.append(frame.select(ordered(frame.columns, date)))
        return pl.concat(frames, how="diagonal_relaxed").sort(date, CODE).to_arrow()

    def read(self, paths):
        frames = [pl.read_parquet(path, glob=False, hive_partitioning=False) for path in paths]
        return pl.concat(frames, how="vertical").to_arrow()


class DuckDB:
    name = "duckdb"

    def panel(self, files, date):
        with duckdb.connect() as connection:
            connection.sql("SET TimeZone = 'UTC'")
            source = connection.read_parquet(
                [str(path) for _, path in files], filename=True, union_by_name=True, hive_partitioning=False
            )
            rest = ", ".join(f'"{name}"' for name in ordered(source.columns, date)[1:] if name != "filename")
            query = f"""SELECT parse_filename(filename, true) AS {CODE}, {rest} FROM source ORDER BY "{date}", {CODE}"""
            return connection.sql(query).to_arrow_table()

    def read(self, paths):
        with duckdb.connect() as connection:
            connection.sql("SET TimeZone = 'UTC'")
            # Files in the order of the list, rows in the order of each file.
            source = connection.read_parquet([str(path) for path in paths], hive_partitioning=False)
            return source.to_arrow_table()


class Pandas:
    """pandas with Arrow's types behind it, which tell a null from a NaN."""

    name = "pandas"
    options = {"dtype_backend": "pyarrow"}

    def panel(self, files, date):
        frames = []
        for code, path in files:
            frame = pd.read_parquet(path, **self.options)
            frame[CODE] = pd.array([code] * len(frame), dtype=self.text())
            frames.append(frame[ordered(frame.columns, date)])
        frame = pd.concat(frames, ignore_index=True).sort_values([date, CODE], kind="stable", ignore_index=True)
        return pa.Table.from_pandas(frame, preserve_index=False)

    def read(self, paths):
        frame = pd.concat([pd.read_parquet(path, **self.options) for path in paths], ignore_index=True)
        return pa.Table.from_pandas(frame, preserve_index=False)

    def text(self):
        return pd.ArrowDtype(pa.string())


class PandasNumpy(Pandas):
    """pandas as most use it: a null in a column of doubles is a NaN."""

    name = "pandas-numpy"
    options = {}

    def text(self):
        return "str"


ENGINES = [PyArrow(), Polars(), DuckDB(), Pandas(), PandasNumpy()]
