"""A cast means the same of a frame as of a folder: numbers may be rounded, and what cannot be read is refused."""

import struct

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import transect

DATES = ["20240102", "20240103"]
VALUES = {
    "rounded": ([0.1, None], pa.float64(), "float32"),
    "beyond 2**53": ([2**53 + 1, None], pa.int64(), "float64"),
    "text": (["2", "1.50"], pa.string(), "float64"),
    "coded text": (["2", "2"], pa.dictionary(pa.int32(), pa.string()), "int64"),
    "instant": ([1_700_000_000_123_456, None], pa.timestamp("us", "UTC"), "timestamp[ms, UTC]"),
    "count of milliseconds": ([1_700_000_000_123, None], pa.int64(), "timestamp[ms]"),
    "decimal": (["1.005", None], pa.string(), "decimal128(10, 2)"),
    "narrower": ([3, None], pa.int64(), "int8"),
    "wider": ([3, None], pa.int32(), "float64"),
}


def bits(values):
    return [struct.pack("<d", value) if isinstance(value, float) else value for value in values]


def held(path, column="x"):
    table = transect.open(path).series("A", [column]).to_arrow()
    return table.schema.field(column).type, bits(table[column].to_pylist())


@pytest.fixture(params=VALUES)
def case(request, tmp_path):
    """A file of a stock, its rows as a frame, a cast, and what a build of the file makes of it."""
    values, own, to = VALUES[request.param]
    (tmp_path / "src").mkdir()
    file = pa.table({"date": DATES, "x": pa.array(values, own)})
    pq.write_table(file, tmp_path / "src" / "A.parquet")
    transect.build(tmp_path / "src", tmp_path / "built", casts={"x": to})
    frame = file.add_column(0, "code", pa.array(["A", "A"]))
    return frame, {"x": to}, held(tmp_path / "built")


def test_a_frame_is_written_as_a_folder_is_built(tmp_path, case):
    frame, casts, right = case
    transect.write(tmp_path / "s", frame, casts=casts)
    assert held(tmp_path / "s") == right


def test_a_frame_is_added_as_a_folder_is_built(tmp_path, case):
    frame, casts, right = case
    keys = frame.select(["code", "date"])
    transect.write(tmp_path / "s", keys.append_column("close", pa.array([1.0, 2.0])))
    transect.add_source(tmp_path / "s", frame, name="more", casts=casts)
    assert held(tmp_path / "s") == right
    # Computed anew, they take their place as they were cast.
    assert not transect.add_source(tmp_path / "s", frame, name="more").published
    assert held(tmp_path / "s") == right


@pytest.mark.parametrize("name", ["x", "y"])
def test_what_is_appended_is_cast_as_its_source_is(tmp_path, case, name):
    """By the name that the first frame gave a column, or by that of the store."""
    frame, casts, (kind, values) = case
    keys = frame.select(["code", "date"]).append_column("close", pa.array([1.0, 2.0]))
    transect.write(tmp_path / "s", keys)
    transect.add_source(tmp_path / "s", frame.slice(0, 1), name="more", casts=casts, rename={"x": "y"}, allow=["few-codes"])
    tonight = frame.slice(1).rename_columns(["code", "date", name])
    assert transect.append(tmp_path / "s", tonight, source="more").filled == (0 if values[1] is None else 1)
    assert held(tmp_path / "s", "y") == (kind, values)


def test_files_of_dates_are_cast_as_their_source_is(tmp_path, case):
    frame, casts, right = case
    transect.write(tmp_path / "s", frame.slice(0, 1), casts=casts)
    pq.write_table(frame.slice(1), tmp_path / "20240103.parquet")
    assert transect.append(tmp_path / "s", tmp_path / "20240103.parquet").added == 1
    assert held(tmp_path / "s") == right


@pytest.mark.parametrize(
    ("values", "to", "why"),
    [
        ([1.0, 0.5], "int64", "0.5 cannot be read as Int64"),
        (["1", "x"], "float64", '"x" cannot be read as Float64'),
        ([1, 300], "int8", "300 cannot be read as Int8"),
    ],
)
def test_what_no_cast_can_read_is_refused_with_its_row(tmp_path, values, to, why):
    frame = pa.table({"code": ["A", "B"], "date": ["20240102"] * 2, "x": values})
    # Also where it lies in another batch.
    for rows in (frame, [frame.slice(0, 1), frame.slice(1)]):
        with pytest.raises(transect.Refused) as caught:
            transect.write(tmp_path / "s", iter(rows) if isinstance(rows, list) else rows, casts={"x": to})
        holds = why.rsplit(" ", 1)[1]
        told = f'the frame on 20240102: its column "x", row 2: {why}; make the frame with values that {holds} holds'
        assert str(caught.value) == told
    assert not (tmp_path / "s").exists()


def test_lengths_of_time_are_counted_where_the_frame_says_in_what(tmp_path):
    length = pa.array([1_500, None], pa.duration("us"))
    frame = pa.table({"code": ["A", "B"], "date": ["20240102"] * 2, "x": length})
    with pytest.raises(transect.Refused, match='casts={"x": "int64"} keeps its values as bare numbers of microseconds'):
        transect.write(tmp_path / "s", frame)
    transect.write(tmp_path / "s", frame, casts={"x": "int64"})
    assert transect.open(tmp_path / "s").scan().to_arrow()["x"].to_pylist() == [1500, None]
    transect.write(tmp_path / "t", frame.set_column(2, "close", pa.array([1.0, 2.0])))
    transect.add_source(tmp_path / "t", frame, name="x", casts={"x": "int64"})
    assert transect.open(tmp_path / "t").scan().to_arrow()["x"].to_pylist() == [1500, None]
    # Later ones may count in others.
    tonight = frame.set_column(2, "x", length.cast(pa.duration("ns"))).set_column(1, "date", pa.array(["20240103"] * 2))
    with pytest.raises(transect.Refused, match="a bare number does not say what it counts; make the frame with the types"):
        transect.append(tmp_path / "s", tonight)


def test_without_a_cast_values_are_as_in_the_store_or_refused(tmp_path):
    frame = pl.DataFrame({"code": ["A"], "date": ["20240102"], "x": pl.Series([0.5], dtype=pl.Float32)})
    transect.write(tmp_path / "s", frame)
    tonight = frame.with_columns(x=pl.lit(0.1, pl.Float64), date=pl.lit("20240103"))
    with pytest.raises(transect.Refused, match='"x" is Float64, Float32 in the store: row 1: 0.1 .* has no exact value'):
        transect.append(tmp_path / "s", tonight)


def test_two_keys_that_a_cast_makes_one_are_refused(tmp_path):
    frame = pa.table({"code": ["A", "A"], "date": ["20240102"] * 2, "time": [1_000_001, 1_000_002], "x": [1, 2]})
    with pytest.raises(transect.Refused, match='has two rows for "A" '):
        times = frame.set_column(2, "time", frame["time"].cast(pa.timestamp("us")))
        transect.write(tmp_path / "s", times, key=["time"], casts={"time": "timestamp[s]"})
