"""Bad files are skipped by name, good ones go on, and nothing hangs."""

import os
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import transect
from engines import PyArrow

DAYS = ["20240102", "20240103", "20240104"]


def good(place=0):
    return pa.table({"trade_date": pa.array(DAYS), "close": pa.array(np.arange(3) + place / 8)})


def whole_bytes(tmp_path):
    pq.write_table(good(), tmp_path / "whole.parquet")
    return (tmp_path / "whole.parquet").read_bytes()


def zero_bytes(path, whole):
    path.write_bytes(b"")


def no_parquet(path, whole):
    path.write_text("trade_date,close\n20240102,1.0\n")


def truncated(path, whole):
    path.write_bytes(whole[: len(whole) // 2])


def tail_only(path, whole):
    path.write_bytes(whole[-40:])


def encrypted_footer(path, whole):
    path.write_bytes(b"PARE" + whole[4:-4] + b"PARE")


def huge_footer_length(path, whole):
    path.write_bytes(whole[:-8] + (2**31 - 1).to_bytes(4, "little") + b"PAR1")


def zeroed_footer(path, whole):
    length = int.from_bytes(whole[-8:-4], "little")
    path.write_bytes(whole[: -8 - length] + bytes(length) + whole[-8:])


def zeroed_pages(path, whole):
    length = int.from_bytes(whole[-8:-4], "little")
    path.write_bytes(b"PAR1" + bytes(len(whole) - length - 12) + whole[-8 - length :])


def directory(path, whole):
    path.mkdir()


def fifo(path, whole):
    os.mkfifo(path)


def broken_link(path, whole):
    path.symlink_to(path.parent / "nowhere")


def unreadable(path, whole):
    path.write_bytes(whole)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user reads everything")


def no_date_column(path, whole):
    pq.write_table(pa.table({"x": [1.0]}), path)


BAD = [
    zero_bytes,
    no_parquet,
    truncated,
    tail_only,
    encrypted_footer,
    huge_footer_length,
    zeroed_footer,
    zeroed_pages,
    directory,
    fifo,
    broken_link,
    unreadable,
    no_date_column,
]


@pytest.mark.parametrize("make", BAD, ids=lambda make: make.__name__)
def test_a_bad_file_is_skipped_by_name_and_the_rest_goes_on(tmp_path, make):
    source = transect.write_panel(tmp_path / "source", {"A": good(), "Z": good(1)})
    make(source / "M.parquet", whole_bytes(tmp_path))
    report = transect.build(source, tmp_path / "store", expect=transect.SKIPPED)
    assert set(transect.skipped(report)) == {"M.parquet"}
    assert "M.parquet" in str(transect.info(tmp_path / "store"))

    transect.transpose(tmp_path / "store", tmp_path / "out")
    actual = PyArrow().read(transect.sections(tmp_path / "out").values())
    files = [file for file in transect.inputs(source) if file[0] != "M"]
    transect.assert_same(PyArrow().panel(files, "trade_date"), actual, make.__name__)
    transect.verify(tmp_path / "store", "--source", source, "--output", tmp_path / "out", expect=transect.SKIPPED)


def test_a_folder_without_inputs_is_an_error(tmp_path):
    (tmp_path / "source").mkdir()
    transect.run("build", tmp_path / "source", tmp_path / "store", expect=transect.FAILED)
    transect.run("build", tmp_path / "nowhere", tmp_path / "store", expect=transect.FAILED)
    assert not (tmp_path / "store" / "CURRENT").exists()


def test_codes_are_data_and_sort_by_their_bytes(tmp_path):
    codes = ["600000.SH", "BRK.B", "ARE&M", "ABR_A", "brk.b", "平安银行", "0", "a b", "x" * 200, "{code}", "🂡"]
    source = transect.write_panel(tmp_path / "source", {code: good(place) for place, code in enumerate(codes)})
    transect.build(source, tmp_path / "store")
    transect.transpose(tmp_path / "store", tmp_path / "out")
    found = transect.sections(tmp_path / "out")
    actual = PyArrow().read(found.values())
    assert actual["ts_code"].to_pylist() == sorted(codes, key=str.encode) * len(DAYS)
    transect.assert_same(PyArrow().panel(transect.inputs(source), "trade_date"), actual, "codes")


def test_another_layout_by_pattern(tmp_path):
    for place, code in enumerate("AB"):
        home = tmp_path / "source" / f"code={code}"
        home.mkdir(parents=True)
        pq.write_table(good(place), home / "data.parquet")
    transect.build(tmp_path / "source", tmp_path / "store", "--pattern", "code={code}/data.parquet")
    transect.transpose(tmp_path / "store", tmp_path / "out")
    actual = PyArrow().read(transect.sections(tmp_path / "out").values())
    assert actual["ts_code"].to_pylist() == ["A", "B"] * len(DAYS)


def test_files_of_several_row_groups_and_newer_encodings_are_read(tmp_path):
    rng = np.random.default_rng(1)
    days = pa.array([f"{year}{month:02}{day:02}" for year in range(2000, 2024) for month in range(1, 13) for day in range(1, 29)])
    source = tmp_path / "source"
    source.mkdir()
    for code, options in {
        "A": {"row_group_size": 1000, "compression": "zstd"},
        "B": {"data_page_version": "2.0", "use_dictionary": False, "compression": "none"},
        "C": {"use_dictionary": False, "column_encoding": {"trade_date": "DELTA_BYTE_ARRAY", "x": "BYTE_STREAM_SPLIT", "n": "DELTA_BINARY_PACKED", "b": "RLE"}},
        "D": {"write_page_index": True, "compression": "gzip", "data_page_size": 512},
        "E": {"compression": "brotli", "write_batch_size": 7},
        "F": {"compression": "lz4", "version": "1.0", "store_schema": False},
    }.items():
        table = pa.table(
            {
                "trade_date": days,
                "x": pa.array(rng.standard_normal(len(days)), mask=rng.random(len(days)) < 0.1),
                "n": pa.array(rng.integers(-5, 5, len(days))),
                "b": pa.array(rng.random(len(days)) < 0.5),
            }
        )
        pq.write_table(table.take(rng.permutation(len(days))), source / f"{code}.parquet", **options)
    transect.build(source, tmp_path / "store")
    transect.transpose(tmp_path / "store", tmp_path / "out", "--from", "2020-01-01")
    expected = PyArrow().panel(transect.inputs(source), "trade_date")
    expected = expected.filter(pa.compute.greater_equal(expected["trade_date"], "20200101"))
    transect.assert_same(expected, PyArrow().read(transect.sections(tmp_path / "out").values()), "encodings")


def test_what_exists_is_refused_without_force(tmp_path):
    source = transect.write_panel(tmp_path / "source", {"A": good()})
    transect.build(source, tmp_path / "store")
    transect.run("build", source, tmp_path / "store", expect=transect.FAILED)
    transect.build(source, tmp_path / "store", "--force")

    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    transect.run("transpose", tmp_path / "store", tmp_path / "out", expect=transect.FAILED)
    transect.transpose(tmp_path / "store", tmp_path / "out", "--force")
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"
    assert len(list((tmp_path / "out").glob("2*.parquet"))) == len(DAYS)


def test_columns_that_are_in_one_file_each_stop_a_build_an_update_and_another_source(tmp_path):
    """Tickers in the names of columns make gigabytes of nulls from megabytes, on whichever night they come."""
    days = [f"2{n:03}{1 + n % 12:02}01" for n in range(400)]

    def panel(directory, count):
        tables = {f"T{n:03}": pa.table({"trade_date": days, **{f"{name}_T{n:03}": np.arange(400.0) for name in "abc"}})
                  for n in range(count)}
        return transect.write_panel(directory, tables)

    def stopped(*args):
        failed = transect.run(*args, expect=4)
        assert re.search("sparse-columns( of many)?: only .* are in one file each", failed.stderr), failed.stderr
        assert "nothing was published" in failed.stderr and "--allow sparse-columns" in failed.stderr

    few, many = panel(tmp_path / "few", 3), panel(tmp_path / "many", 400)
    stopped("build", many, tmp_path / "whole")
    transect.build(few, tmp_path / "store")
    panel(few, 400)
    stopped("update", tmp_path / "store")
    prices = {f"T{n:03}": pa.table({"trade_date": days, "x": np.arange(400.0)}) for n in range(400)}
    transect.build(transect.write_panel(tmp_path / "prices", prices), tmp_path / "joined")
    stopped("source", "add", tmp_path / "joined", many)
    report = transect.run("source", "add", tmp_path / "joined", few, "--json", "--allow", "sparse-columns").report
    assert report["published"] and any("are in one file each" in note for note in report["notes"])
