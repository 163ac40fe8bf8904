"""What works with one engine and none of the others: `alone.py ENGINE PANEL.store`. Others are kept from being found."""

import sys

BRINGS = {
    "numpy": {"numpy"},
    "pandas": {"numpy", "pandas"},
    "polars": {"polars"},
    "pyarrow": {"pyarrow"},
    "duckdb": {"duckdb"},
    "xarray": {"numpy", "pandas", "xarray"},
}
engine, path = sys.argv[1:]


class Hidden:
    """Finds nothing, and keeps others from finding what is not there."""

    def find_spec(self, name, *_):
        if name in set().union(*BRINGS.values()) - BRINGS[engine]:
            raise ModuleNotFoundError(name)


sys.meta_path.insert(0, Hidden())

import transect  # noqa: E402

store = transect.open(path)
section = store.section(20240102)
report = store.coverage(by=None)
assert report.rows == 9 and store.verify(inputs=True)
match engine:
    case "numpy":
        import numpy as np

        assert np.asarray(section["close"]).tolist() == [1.0, 11.0, 21.0] and section.to_numpy(["lots"]).sum() == 6
        assert store.matrix("close").values.shape == (4, 3) and len(store.dates) == 4
    case "pandas":
        import datetime
        import decimal

        frame = store.section(20240102).to_pandas()
        assert frame["close"].tolist() == [1.0, 11.0, 21.0] and frame["price"].tolist() == [decimal.Decimal(1)] * 3
        assert store.series("BRK.B").to_pandas()["close"].tolist() == [20.0, 21.0]
        # Clocks of the zone.
        assert str(frame["seen"].dtype.tz) == "Asia/Shanghai" and frame["seen"].iloc[0].hour == 6
        odd = transect.open(path + ".odd").section(20240102).to_pandas()
        assert odd["bytes"].tolist() == [b"1", None] and odd["nothing"].tolist() == [None, None]
        clock = datetime.time(14, 55, 0, 1)
        assert odd["us"].tolist() == odd["ns"].tolist() == [clock, None]
        assert odd["ms"].tolist() == [datetime.time(14, 55), None]
        assert odd["east"].iloc[0].utcoffset() == datetime.timedelta(hours=8) and odd["east"].isna().tolist()[1]
        west = datetime.timedelta(hours=-3, minutes=-30)
        assert odd["west"].iloc[0].utcoffset() == west and odd["west"].iloc[0] == odd["east"].iloc[0]
        assert store.matrix("close").to_pandas().shape == (4, 3) and len(store.coverage().to_pandas()) == 4
    case "polars":
        import polars as pl

        date = pl.col("trade_date")
        assert section.to_polars()["close"].to_list() == [1.0, 11.0, 21.0] and store.scan().to_polars().height == 9
        assert store.lazy().collect().height == 9 and store.lazy().head(2).collect().height == 2
        found = store.lazy().filter(date.is_between(pl.date(2024, 1, 2), pl.date(2024, 1, 3)), pl.col("close") > 1)
        assert found.select("close").collect()["close"].to_list() == [11.0, 21.0, 2.0, 12.0]
        assert store.lazy().filter(pl.col("ts_code") == "BRK.B").collect()["close"].to_list() == [20.0, 21.0]
        assert store.scan(dates=section.to_polars()["trade_date"].unique()).to_polars().height == 3
        frame = section.to_polars().with_columns(nothing=None)
        assert transect.write(path + ".polars", frame).rows == 3
        assert transect.open(path + ".polars").schema["nothing"] == "Null"
    case "pyarrow":
        assert section.to_arrow()["close"].to_pylist() == [1.0, 11.0, 21.0] and len(store.scan().to_arrow()) == 9
        assert transect.write(path + ".pyarrow", section.to_arrow()).rows == 3
    case "duckdb":
        import duckdb

        scan, series = store.scan(), store.series("BRK.B")
        count = "select count(*), sum(close) from {}"
        found = [duckdb.sql(count.format(name)).fetchall()[0] for name in ("section", "series", "scan")]
        assert found == [(3, 33.0), (2, 41.0), (9, 80.0)], found
        assert transect.write(path + ".duckdb", duckdb.sql("select * from section")).rows == 3
    case "xarray":
        import xarray as xr

        assert float(xr.open_dataset(path, engine="transect")["close"].sum()) == 80.0
        assert store.matrix("close").to_xarray().shape == (4, 3)
print("done")
