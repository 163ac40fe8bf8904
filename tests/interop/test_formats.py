"""Files of other formats are read as the same rows in Parquet are."""

import datetime
import decimal
import struct
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

import transect

DAYS = ["20240102", "20240103", "20240104", "20240105"]
NAN = np.array([0x7FF8000000001234], dtype="uint64").view("float64")[0]


def table(place=0):
    """Rows of every type that a panel has, with nulls and odd values."""
    count = len(DAYS)
    moment = datetime.datetime(2024, 1, 2, 9, 30, 0, 1)
    texts = [f"a{place}", None, "平安", ""]
    return pa.table({
        "trade_date": pa.array(DAYS),
        "close": pa.array([1.5 + place, None, -0.0, float("inf")]),
        "odd": pa.array(np.array([NAN, -np.inf, 5e-324, 0.1]), mask=np.array([False, False, False, True])),
        "single": pa.array([0.1, None, 3.5, -0.0], pa.float32()),
        "volume": pa.array([place, -(2**63), 2**63 - 1, None], pa.int64()),
        "tiny": pa.array([-128, 127, None, 0], pa.int8()),
        "large": pa.array([2**64 - 1, 0, None, 1], pa.uint64()),
        "open": pa.array([True, False, None, True]),
        "name": pa.array(texts),
        "long": pa.array(texts, pa.large_string()),
        "view": pa.array(["a text of more than twelve bytes", *texts[1:]], pa.string_view()),
        "coded": pa.array(["b", "a", None, "b"]).dictionary_encode(),
        "bytes": pa.array([b"\xff", None, b"", b"x"], pa.binary()),
        "day": pa.array([datetime.date(1969, 12, 31), None, datetime.date(9999, 12, 31), datetime.date(2024, 1, 2)]),
        "moment": pa.array([moment] * (count - 1) + [None], pa.timestamp("us")),
        "instant": pa.array([moment] * (count - 1) + [None], pa.timestamp("ns", "Asia/Shanghai")),
        "clock": pa.array([datetime.time(9, 30), None, datetime.time(15), datetime.time(0)], pa.time64("us")),
        "price": pa.array([decimal.Decimal("12.3400"), None, decimal.Decimal("-0.0001"), decimal.Decimal(0)],
                          pa.decimal128(20, 4)),
        "empty": pa.nulls(count),
    })


def ipc_file(compression=None, rows=None, **options):
    def write(rows_of, path):
        chosen = pa.ipc.IpcWriteOptions(compression=compression, **options)
        with pa.ipc.new_file(path, rows_of.schema, options=chosen) as writer:
            writer.write_table(rows_of, max_chunksize=rows)

    return write


def ipc_stream(compression=None, rows=None, **options):
    def write(rows_of, path):
        chosen = pa.ipc.IpcWriteOptions(compression=compression, **options)
        with pa.ipc.new_stream(path, rows_of.schema, options=chosen) as writer:
            writer.write_table(rows_of, max_chunksize=rows)

    return write


WRITERS = {
    "file": ipc_file(),
    "file of small batches": ipc_file(rows=1),
    "lz4": ipc_file("lz4"),
    "zstd": ipc_file("zstd", rows=3),
    "version 4": ipc_file(metadata_version=pa.ipc.MetadataVersion.V4),
    "stream": ipc_stream(),
    "stream of small batches, zstd": ipc_stream("zstd", rows=1),
    "stream, lz4": ipc_stream("lz4"),
    "feather": lambda rows, path: pyarrow.feather.write_feather(rows, path, compression="lz4", chunksize=2),
    "feather, uncompressed": lambda rows, path: pyarrow.feather.write_feather(rows, path, compression="uncompressed"),
    "polars": lambda rows, path: pl.from_arrow(rows).write_ipc(path),
    "polars, zstd": lambda rows, path: pl.from_arrow(rows).write_ipc(path, compression="zstd"),
    "polars, stream": lambda rows, path: pl.from_arrow(rows).write_ipc_stream(path, compression="lz4"),
}


def both(tmp_path, writers, ending):
    """Folders with a file of each writer, and of the same rows in Parquet; the stores of both."""
    stores = []
    for name in [ending, "parquet"]:
        (tmp_path / name).mkdir()
        for place, writer in enumerate(writers):
            write = WRITERS[writer] if name == ending else lambda rows, path: pq.write_table(rows, path)
            write(table(place), str(tmp_path / name / f"{writer}.{name}"))
        made = transect.build(tmp_path / name, tmp_path / f"{name}.store", "--input", name)
        assert (made["rows"], transect.skipped(made)) == (len(DAYS) * len(writers), {})
        stores.append(tmp_path / f"{name}.store")
    transect.verify(stores[0], "--source", tmp_path / ending)
    return stores


def test_arrow_files_give_the_rows_that_parquet_gives(tmp_path):
    outs = []
    for store in both(tmp_path, [name for name in WRITERS if "polars" not in name], "arrow"):
        out = tmp_path / f"{store.name}.out"
        transect.transpose(store, out)
        outs.append({date: path.read_bytes() for date, path in transect.sections(out).items()})
    assert outs[0] == outs[1] and len(outs[0]) == len(DAYS)


def test_arrow_files_of_polars_give_the_rows_that_parquet_gives(tmp_path):
    # Polars has its own types for texts and decimals, and the same values.
    stores = both(tmp_path, [name for name in WRITERS if "polars" in name], "arrow")
    for day in DAYS:
        shown = [transect.run("show", store, "--date", day, "--format", "csv").stdout for store in stores]
        assert shown[0] == shown[1] and shown[0].count(b"\n") == 4


def csv_table(place=0):
    """Rows of the types that csv can say."""
    return pa.table({
        "trade_date": pa.array(DAYS),
        "close": pa.array([1.5 + place, None, -0.0, float("inf")]),
        "tiny": pa.array([5e-324, 0.1 + 0.2, None, float("nan")]),
        "volume": pa.array([place, -(2**63), 2**63 - 1, None], pa.int64()),
        "open": pa.array([True, False, None, True]),
        "code": pa.array(["000001"] * 3 + ["600519"]),
        "name": pa.array([f"a{place}", None, "平安, \"x\"\ny", " b "]),
        "day": pa.array(["2024-01-02", None, "9999-12-31", "x"]),
    })


CSV_WRITERS = {
    "pandas": lambda rows, path: rows.to_pandas(types_mapper=pd.ArrowDtype).to_csv(path, index=False),
    "pandas index": lambda rows, path: rows.to_pandas(types_mapper=pd.ArrowDtype).to_csv(path),
    "polars": lambda rows, path: pl.from_arrow(rows).write_csv(path),
    "duckdb": lambda rows, path: duckdb.from_arrow(rows).write_csv(path),
    "pyarrow": lambda rows, path: pyarrow.csv.write_csv(rows, path),
    "dos": lambda rows, path: Path(path).write_bytes(
        b"\xef\xbb\xbf" + rows.to_pandas(types_mapper=pd.ArrowDtype).to_csv(index=False, lineterminator="\r\n").encode()
    ),
}


def test_csv_files_give_the_rows_that_parquet_gives(tmp_path):
    csv, parquet = tmp_path / "csv", tmp_path / "parquet"
    csv.mkdir()
    parquet.mkdir()
    for place, (name, write) in enumerate(CSV_WRITERS.items()):
        write(csv_table(place), str(csv / f"{name}.csv"))
        pq.write_table(csv_table(place), parquet / f"{name}.parquet")
    made = transect.build(csv, tmp_path / "csv.store", "--input", "csv")
    assert (made["rows"], transect.skipped(made)) == (len(DAYS) * len(CSV_WRITERS), {})
    transect.build(parquet, tmp_path / "parquet.store")
    transect.verify(tmp_path / "csv.store", "--source", csv)
    outs = []
    for store in ["csv", "parquet"]:
        transect.transpose(tmp_path / f"{store}.store", tmp_path / f"{store}.out")
        outs.append({date: path.read_bytes() for date, path in transect.sections(tmp_path / f"{store}.out").items()})
    assert outs[0] == outs[1] and len(outs[0]) == len(DAYS)


def csv_folder(path, files):
    path.mkdir(exist_ok=True)
    for name, text in files.items():
        (path / name).write_text(text)
    return path


def rows_of(store, date):
    return transect.show(store, date, "csv").decode()


def test_an_update_keeps_the_types_of_a_store_of_csv(tmp_path):
    store = tmp_path / "store"
    source = csv_folder(tmp_path / "src", {
        "A.csv": "date,id,close\n20240102,000001,1.5\n",
        "B.csv": "date,id,close\n20240102,600519,2\n",
    })
    transect.build(source, store, "--input", "csv")
    # Alone, these would be integers, and a date of another spelling.
    csv_folder(source, {"B.csv": "date,id,close\n20240102,600519,2\n2024-01-03,600520,3\n"})
    transect.run("update", store)
    assert rows_of(store, "20240103") == "ts_code,date,id,close\nB,20240103,600520,3.0\n"
    # One odd file is left out by name, and changes nothing for the others.
    csv_folder(source, {"A.csv": "date,id,close\n20240102,000001,-\n", "B.csv": "date,id,close\n20240102,7,9\n"})
    done = transect.run("update", store, "--json", expect=transect.SKIPPED)
    assert 'its column \\"close\\" is Utf8' in transect.skipped(done.report)["A.csv"]
    assert rows_of(store, "20240102") == "ts_code,date,id,close\nA,20240102,000001,1.5\nB,20240102,7,9.0\n"


def test_files_of_dates_are_appended_from_csv_and_arrow(tmp_path):
    store = tmp_path / "store"
    source = tmp_path / "src"
    source.mkdir()
    for code in ["A", "B"]:
        rows = {"date": ["20240102"], "close": pa.array([1.5], pa.float32()), "n": [1],
                "price": pa.array([decimal.Decimal("0.10")], pa.decimal128(9, 2)), "name": ["000001"]}
        pq.write_table(pa.table(rows), source / f"{code}.parquet")
    transect.build(source, store)
    (tmp_path / "20240103.csv").write_text("ts_code,date,close,n,price,name\nA,20240103,0.1,,12.34,000002\n")
    transect.run("append", store, tmp_path / "20240103.csv")
    assert rows_of(store, "20240103") == "ts_code,date,close,n,price,name\nA,20240103,0.1,,12.34,000002\n"
    day = pq.read_table(source / "A.parquet").append_column("ts_code", pa.array(["A"]))
    day = day.set_column(0, "date", pa.array(["20240104"]))
    ipc_stream("zstd")(day, str(tmp_path / "20240104.arrows"))
    transect.run("append", store, tmp_path / "20240104.arrows")
    assert rows_of(store, "20240104") == "ts_code,date,close,n,price,name\nA,20240104,1.5,1,0.10,000001\n"


def test_folders_of_dates_and_further_sources_are_of_any_format(tmp_path):
    store = tmp_path / "store"
    prices = csv_folder(tmp_path / "prices", {
        "20240102.csv": "code,close\n000001,1\n600519,2\n",
        "20240103.csv": "code,close\n000001,1.5\n",
    })
    transect.build(prices, store, "--input", "csv", "--files-by", "date")
    flows = tmp_path / "flows"
    flows.mkdir()
    ipc_file("lz4")(pa.table({"date": ["20240103"], "flow": [7]}), str(flows / "000001.feather"))
    refused = transect.run("source", "add", store, flows, expect=transect.FAILED).stderr
    assert "--input arrow --pattern '{code}.feather' reads the Arrow files there" in refused
    transect.run("source", "add", store, flows, "--input", "arrow", "--pattern", "{code}.feather")
    assert rows_of(store, "20240103") == "code,date,close,flow\n000001,2024-01-03,1.5,7\n"
    (flows / "000001.csv").write_text("date,flow\n20240103,8\n")
    transect.run("source", "set", store, "flows.input=csv", "flows.pattern=")
    assert rows_of(store, "20240103") == "code,date,close,flow\n000001,2024-01-03,1.5,8\n"


@pytest.mark.parametrize("is_file", [True, False])
def test_a_dictionary_in_several_pieces_is_named_and_not_called_damaged(tmp_path, is_file):
    (tmp_path / "source").mkdir()
    options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
    kind = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema([("trade_date", pa.string()), ("t", kind)])
    pieces = [pa.DictionaryArray.from_arrays(pa.array([n], pa.int32()), ["a", "b"][: n + 1]) for n in range(2)]
    writer = pa.ipc.new_file if is_file else pa.ipc.new_stream
    with writer(tmp_path / "source" / "A.arrow", schema, options=options) as out:
        for day, piece in zip(["20240102", "20240103"], pieces):
            out.write_batch(pa.record_batch([pa.array([day]), piece], schema=schema))
    failed = transect.run("build", tmp_path / "source", tmp_path / "store", "--input", "arrow", expect=transect.FAILED)
    told = "has a dictionary in several pieces, which is not read; write each dictionary whole, or the file as Parquet"
    assert told in failed.stderr


def under_nulls(kind, null=b"\xff" * 16):
    """Three texts, of which one is null; what lies under it is none."""
    long = b"a text of more than twelve bytes"
    valid = pa.py_buffer(bytes([0b101]))
    if kind in ("string_view", "binary_view"):
        views = struct.pack("<i4sii", len(long), long[:4], 0, 0) + null + struct.pack("<i12s", 2, b"ab")
        return pa.Array.from_buffers(getattr(pa, kind)(), 3, [valid, pa.py_buffer(views), pa.py_buffer(long)], 1)
    wide = kind.startswith("large")
    ends = [0, len(long), len(long) + 4, len(long) + 6]
    offsets = pa.array(ends, pa.int64() if wide else pa.int32()).buffers()[1]
    return pa.Array.from_buffers(getattr(pa, kind)(), 3, [valid, offsets, pa.py_buffer(long + null[:4] + b"ab")], 1)


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("kind", ["string_view", "binary_view", "string", "large_string"])
def test_what_lies_under_a_null_is_nothing(kind, compression, tmp_path):
    # "In the case of a null, the value is undefined": pyarrow and Polars read it.
    (tmp_path / "source").mkdir()
    # A view within the text but amid a character, too, and one that is short and goes on.
    nulls = [b"\xff" * 16, struct.pack("<i4sii", 13, b"a te", 0, 0), struct.pack("<i12s", 2, b"\xff\xfexyz")]
    for n, null in enumerate(nulls):
        # A column before and one after it, so that buffers are counted.
        columns = {"trade_date": DAYS[:3], "x": [1.5, None, 2.5], "s": under_nulls(kind, null), "y": [None, "y", None]}
        path = tmp_path / "source" / f"{n}.arrow"
        ipc_file(compression)(pa.table(columns), path)
        texts = ["a text of more than twelve bytes", None, "ab"]
        texts = [text.encode() if kind == "binary_view" and text else text for text in texts]
        assert pa.ipc.open_file(path).read_all().column("s").to_pylist() == texts
    transect.build(tmp_path / "source", tmp_path / "store", "--input", "arrow")
    transect.transpose(tmp_path / "store", tmp_path / "out", "--by", "stock")
    for n in range(len(nulls)):
        found = pq.read_table(tmp_path / "out" / f"{n}.parquet")
        assert (found.column("s").to_pylist(), found.column("y").to_pylist()) == (texts, [None, "y", None])


def test_a_view_that_is_none_is_damage_where_it_is_no_null(tmp_path):
    (tmp_path / "source").mkdir()
    good = pa.table({"trade_date": DAYS[:1], "s": ["good"]})
    ipc_file()(good, tmp_path / "source" / "good.arrow")
    bits, *buffers = under_nulls("string_view").buffers()
    views = pa.Array.from_buffers(pa.string_view(), 3, [None, *buffers], 0)
    ipc_file()(pa.table({"trade_date": DAYS[:3], "s": views}), tmp_path / "source" / "valid.arrow")
    # And where a bit says that it is one, and the count that none is.
    path = tmp_path / "source" / "counted.arrow"
    ipc_file()(pa.table({"trade_date": DAYS[:3], "s": under_nulls("string_view")}), path)
    node = struct.pack("<qq", 3, 1)
    assert path.read_bytes().count(node) == 1
    path.write_bytes(path.read_bytes().replace(node, struct.pack("<qq", 3, 0)))
    built = transect.run(
        "build", tmp_path / "source", tmp_path / "store", "--input", "arrow", "--allow", "skipped-files",
        expect=(transect.SKIPPED,),
    )
    told = built.stderr
    assert "skipped 2 of 3 inputs" in told and 'its column "s": Invalid argument error' in told, told


def is_frame(data):
    """Whether these bytes are a length and a whole frame of LZ4."""
    if data[8:12] != b"\x04\x22\x4d\x18":
        return False
    try:
        return len(pa.decompress(bytes(data[8:]), *struct.unpack_from("<q", data), codec="lz4")) > 0
    except OSError:
        return False


def lz4_cut(path, left_out):
    """Has the buffers of the last message of a stream, packed by LZ4, end as many bytes earlier; how many there are."""
    data = bytearray(path.read_bytes())
    at, cut = 0, 0
    while not cut:
        (length,) = struct.unpack_from("<i", data, at + 4)
        body = at + 8 + length
        for pair in range(at + 8, body - 15, 8):
            offset, size = struct.unpack_from("<qq", data, pair)
            if 0 <= offset < len(data) and 12 < size < len(data) and is_frame(data[body + offset :][:size]):
                struct.pack_into("<q", data, pair + 8, size - left_out)
                cut += 1
        at = body
    path.write_bytes(bytes(data))
    return cut


@pytest.mark.parametrize("left_out", [0, 1, 4])
def test_frames_of_lz4_that_end_early_are_damaged(left_out, tmp_path):
    (tmp_path / "source").mkdir()
    path = tmp_path / "source" / "A.arrow"
    rows = pa.table({"trade_date": pd.date_range("2001-01-01", periods=3000).date, "x": np.arange(3000.0)})
    ipc_stream("lz4")(rows, path)
    assert lz4_cut(path, left_out) == 2
    if left_out == 0:
        transect.build(tmp_path / "source", tmp_path / "store", "--input", "arrow")
        return
    with pytest.raises(OSError, match="less than one frame"):
        pa.ipc.open_stream(path).read_all()
    ended = transect.run("build", tmp_path / "source", tmp_path / "store", "--input", "arrow", expect=1)
    told = ended.stderr
    assert "the packed bytes of its column \"trade_date\" end early" in told, told
