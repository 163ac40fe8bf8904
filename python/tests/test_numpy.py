"""Null is no value of any type of numpy, dates are the same in datasets, and damage is damage at every door."""

import datetime
import pathlib
import re

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr

import transect

HOLES = {
    "halted": ["bool", "u1", "i1", "i8"], "volume": ["i8", "i4", "u1", "bool"], "holes": ["i1", "u8", "bool", "M8[s]"],
    "seen": ["i8", "f8", "bool"], "name": ["U3", "S3"],
}


@pytest.mark.parametrize("name", HOLES)
def test_null_is_no_value_of_any_type_that_has_none(own, name):
    section = transect.open(own).section(20240102)
    rows = section.to_arrow()
    lacks = rows.set_column(section.columns.index(name), name, pa.nulls(3, rows[name].type))
    transect.append(own, lacks, replace=True, allow=["turned-null"])
    column = transect.open(own).section(20240102)[name]
    assert column.null_count == 3
    for kind in HOLES[name]:
        with pytest.raises(ValueError, match=re.escape(f"{name!r} has 3 nulls, of which {np.dtype(kind)} has none; ")):
            np.asarray(column, dtype=kind)
    assert all(one is None or one != one for one in np.asarray(column, dtype=object))
    if name not in ("seen", "name"):
        assert np.isnan(np.asarray(column, dtype="f4")).all() and np.isnan(np.asarray(column, dtype="c8")).all()


def test_values_without_nulls_are_cast_as_numpy_casts_them(store):
    section = store.section(20240102)
    assert np.asarray(section["lots"], dtype="i8").tolist() == [2, 2, 2]
    assert np.asarray(section["halted"], dtype="u1").tolist() == [0, 1, 0]
    assert np.asarray(section["close"], dtype=bool).tolist() == [True, True, True]


def test_cells_without_a_value_are_no_value_of_any_type_that_has_none(store):
    close, seen = store.matrix("close"), store.matrix("seen")
    for matrix, kinds in ((close, ["i8", "u1", "bool"]), (seen, ["i8", "bool"])):
        for kind in kinds:
            why = f"^the matrix has cells without a value, of which {np.dtype(kind)} has none; fill them first$"
            with pytest.raises(ValueError, match=why):
                np.asarray(matrix, dtype=kind)
    with pytest.raises(ValueError, match="of which bool has none"):
        np.asarray(store.matrix("halted", fill=255), dtype=bool)
    assert np.asarray(store.matrix("lots", fill=-1), dtype="i8").min() == -1
    assert np.asarray(store.matrix("close", end=20231229), dtype="i8").tolist() == [[0, 10, 20]]


@pytest.mark.parametrize("year", [1, 1600, 1677, 2262, 2999, 9999])
def test_dates_of_datasets_are_those_of_the_store(tmp_path, year):
    day = datetime.date(year, 12, 31)
    transect.write(tmp_path / "s.store", pl.DataFrame({"code": ["A"], "date": [day], "x": [1.0]}))
    store = transect.open(tmp_path / "s.store")
    assert store.dates.tolist() == [day]
    for data in (store.matrix("x").to_xarray(), xr.open_dataset(tmp_path / "s.store", engine="transect", io="read")):
        assert data["date"].values.astype("M8[D]").tolist() == [day]
        assert float(data["x"].sum() if isinstance(data, xr.Dataset) else data.sum()) == 1.0
    assert xr.open_dataset(f"{tmp_path}/s.store/")["x"].shape == (1, 1)


def test_dates_without_a_row_of_the_key_are_holes_of_a_dataset(tmp_path):
    dates = ["20240102", "20240102", "20240103"]
    rows = {"code": ["A"] * 3, "date": dates, "minute": [931, 932, 931], "x": [1.0, 2.0, 3.0]}
    transect.write(tmp_path / "s.store", pa.table(rows), key="minute")
    data = xr.open_dataset(tmp_path / "s.store", engine="transect", at={"minute": 932})
    assert np.isnan(data["x"].sel(date="2024-01-03").values).all() and data["x"].values[0].tolist() == [2.0]


def test_damage_that_a_stream_meets_is_told_as_such(own):
    store = transect.open(own)
    (segment,) = pathlib.Path(store.path, "segment").glob("*.arrow")
    size = segment.stat().st_size
    del store
    segment.write_bytes(segment.read_bytes()[:64] + bytes(size - 128) + segment.read_bytes()[-64:])
    for take in (
        lambda: transect.open(own).scan().to_polars(),
        lambda: transect.open(own).scan().to_arrow(),
        lambda: transect.open(own).scan().to_pandas(),
        lambda: transect.open(own).section(20240102),
    ):
        with pytest.raises(transect.Corrupt) as caught:
            take()
        assert caught.value.path == str(segment)
    with pytest.raises((transect.Corrupt, pl.exceptions.ComputeError), match=segment.name):
        transect.open(own).lazy().collect()


def test_dates_of_a_generator_are_asked_for_again(store):
    scan = store.scan(dates=(date for date in [20240102, 20240103]), columns=["close"])
    assert len(scan) == 5 and len(np.asarray(scan["close"])) == 5 and len(scan.to_pandas(codes="categorical")) == 5
    assert len(store.scan(dates=store.dates)) == 9
