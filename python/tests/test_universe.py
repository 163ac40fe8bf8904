"""A universe leaves out rows that are no members on their date, and no other."""

import datetime
import os
import signal
import time
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import transect

WHO = {"date": "20240106", "code": "nobody"}
ROWS = {"date": ["2024-01-02", "2024-01-03", "2024-01-03"], "code": ["BRK.B", "000001.SZ", "nobody"]}


def frames():
    """The same members with dates of each kind."""
    days = [datetime.date.fromisoformat(text) for text in ROWS["date"]]
    return {
        "text": pa.table(ROWS),
        "digits": pa.table({"trade_date": [text.replace("-", "") for text in ROWS["date"]], "ts_code": ROWS["code"]}),
        "numbers": pa.table({"date": [int(text.replace("-", "")) for text in ROWS["date"]], "symbol": ROWS["code"]}),
        "polars": pl.DataFrame({"date": days, "code": ROWS["code"]}),
        "pandas": pd.DataFrame({"date": pd.to_datetime(days), "code": ROWS["code"]}),
        "index": pd.DataFrame({"weight": 1.0}, index=pd.MultiIndex.from_frame(pd.DataFrame(ROWS))),
        "categories": pl.DataFrame(ROWS).with_columns(pl.col("code").cast(pl.Categorical)),
    }


@pytest.mark.parametrize("kind", frames())
@pytest.mark.filterwarnings("ignore:the universe names")
def test_members_come_as_any_frame_of_dates_and_codes(store, kind):
    universe = frames()[kind]
    scan = store.scan(columns=["close"], universe=universe)
    assert len(scan) == 2
    assert scan.to_polars().rows() == [("BRK.B", datetime.date(2024, 1, 2), 21.0),
                                       ("000001.SZ", datetime.date(2024, 1, 3), 2.0)]
    matrix = store.matrix("close", universe=universe)
    assert matrix.present.sum() == 2 and matrix.values[2, 0] == 2.0 and np.isnan(matrix.values[0]).all()


def test_dates_and_codes_that_the_store_lacks_are_told_to_who_names_them(store, tmp_path):
    told = [f"the universe names 1 {what} that the store lacks: {name}" for what, name in WHO.items()]
    rows = {"date": [*ROWS["date"], "2024-01-06"], "code": [*ROWS["code"], "BRK.B"]}
    pq.write_table(pa.table(rows), tmp_path / "members.parquet")
    for universe in (pl.DataFrame(rows), tmp_path / "members.parquet"):
        for ask in (
            lambda universe: store.matrix("close", universe=universe),
            lambda universe: store.scan(columns=["close"], universe=universe),
        ):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                ask(universe)
            assert [str(warning.message) for warning in caught] == told
            assert {(warning.category, warning.filename) for warning in caught} == {(UserWarning, __file__)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.matrix("close", universe=pl.DataFrame(rows)[:2])
        store.matrix("lots", fill=0, universe="halted")


@pytest.mark.filterwarnings("ignore:the universe names")
def test_a_column_of_the_store_or_a_file_is_a_universe(store, tmp_path):
    halted = store.scan(universe="halted").to_polars()
    assert halted["ts_code"].to_list() == ["000001.SZ", "600000.SH"] and halted["halted"].all()
    pq.write_table(pa.table(ROWS), tmp_path / "members.parquet")
    assert len(store.scan(universe=tmp_path / "members.parquet")) == 2
    assert len(store.scan(universe=str(tmp_path / "members.parquet"), stocks=["BRK.B"])) == 1
    pl.DataFrame(ROWS).write_csv(tmp_path / "members.csv")
    pl.DataFrame(ROWS).write_ipc(tmp_path / "members.arrow")
    for name in ("members.csv", "members.arrow"):
        assert len(store.scan(universe=tmp_path / name)) == 2
    transect.transpose(store, tmp_path / "out", universe=tmp_path / "members.csv")
    assert sum(len(pl.read_parquet(path)) for path in (tmp_path / "out").glob("2*.parquet")) == 2
    (tmp_path / "members.csv").write_text("date,code\n")
    with pytest.raises(transect.Refused, match="members.csv: has no rows; give a Parquet, Arrow or csv file"):
        store.scan(universe=tmp_path / "members.csv")
    assert store.matrix("lots", fill=0, universe="halted").values.sum() == 1 + 2


def test_nulls_are_no_members(store):
    rows = store.scan(universe="holes").to_polars()
    assert rows["holes"].to_list() == [1.0, 1.0, 1.5] and rows["holes"].null_count() == 0


def test_a_row_that_is_said_to_be_no_member_is_refused(store):
    members = pl.DataFrame(ROWS).with_columns(in_index=pl.Series([True, False, True]))
    with pytest.raises(transect.Refused, match='"in_index" is not true in some; leave those rows out'):
        store.scan(universe=members)
    assert len(store.scan(universe=members.filter("in_index"))) == 1
    with pytest.raises(transect.Refused, match='"in_index" is not true in some'):
        store.scan(universe=members.with_columns(pl.col("in_index").cast(pl.Int8)))


def test_what_is_no_universe_is_refused(store):
    with pytest.raises(transect.Refused, match='column "name" is .* and says of no row whether it is a member'):
        store.scan(universe="name")
    with pytest.raises(transect.NotFound, match="neither a column of .* nor a file"):
        store.scan(universe="csi300")
    for other in (["000001.SZ"], 5, pl.LazyFrame(ROWS)):
        with pytest.raises(TypeError, match=f"^{type(other).__name__} has no rows; give a frame"):
            store.scan(universe=other)


def test_ctrl_c_is_answered_while_the_rows_of_a_universe_are_made(store, interruptible):
    def batches():
        os.kill(os.getpid(), signal.SIGINT)
        while True:
            time.sleep(0.01)
            yield pa.record_batch({name: values[:1] for name, values in ROWS.items()})

    schema = pa.schema([("date", pa.string()), ("code", pa.string())])
    with pytest.raises(KeyboardInterrupt):
        store.scan(universe=pa.RecordBatchReader.from_batches(schema, batches()))
    with pytest.raises(transect.Refused, match='the universe has no column "trade_date"; call it that, or date'):
        store.scan(universe=pa.table({"day": ["20240102"], "code": ["BRK.B"]}))
    with pytest.raises(transect.Refused, match="names no date and code that the store has"):
        store.scan(universe=pa.table({"date": ["20240102"], "code": ["brk.b"]}))
    with pytest.raises(transect.Refused, match="20240230"):
        store.scan(universe=pa.table({"date": ["20240230"], "code": ["BRK.B"]}))
    assert len(store.scan(universe=pa.table({"date": pa.array([], pa.string()), "code": pa.array([], pa.string())}))) == 0
