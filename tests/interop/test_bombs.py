"""Small files that would take gigabytes: read within what they may, or refused by name with the figure and the way out.

Each lies beside a good file, which must be read. The figure is RssAnon; 64 MiB above --memory are the program's own.
"""

import struct
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import transect

MIB = 2**20
MEMORY = 64

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="RssAnon is Linux's")


def dates(rows):
    return pa.array(range(rows), pa.int32()).cast(pa.date32())


def long_texts(path):
    pq.write_table(pa.table({"date": dates(2000), "s": ["x" * MIB] * 2000}), path)


def inflating(codec):
    def make(path):
        pq.write_table(pa.table({"date": dates(2), "s": ["", "x" * (512 * MIB)]}), path, compression=codec)

    return make


def equal_rows(path):
    rows = pa.repeat(True, 30_000_000)
    pq.write_table(pa.table({"date": pa.repeat(pa.scalar(0, pa.date32()), len(rows)), "b": rows}), path)


def row_groups(path):
    rows = 20_000
    pq.write_table(pa.table({"date": dates(rows), "x": list(range(rows))}), path, row_group_size=1)


def long_footer(path):
    with open(path, "wb") as file:
        file.write(b"PAR1")
        file.seek(2**32 + 100)
        file.write((2**32 - 1).to_bytes(4, "little") + b"PAR1")


BOMBS = {
    "long_texts": long_texts,
    "inflating_gzip": inflating("gzip"),
    "inflating_zstd": inflating("zstd"),
    "inflating_brotli": inflating("brotli"),
    "equal_rows": equal_rows,
    "row_groups": row_groups,
    "long_footer": long_footer,
}


def codes(rows):
    return [f"{n:06}" for n in range(rows)]


def arrow(path, columns):
    table = pa.table(columns)
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)


def arrow_dictionary(path):
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 2000, pa.int8()), ["x" * MIB])
    arrow(path, {"ts_code": codes(2000), "s": texts})


def arrow_codes(path):
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 2000, pa.int8()), ["x" * MIB])
    arrow(path, {"ts_code": texts, "s": codes(2000)})


def arrow_views(path):
    text = b"x" * MIB
    view = struct.pack("<i4sii", len(text), text[:4], 0, 0)
    texts = pa.Array.from_buffers(pa.string_view(), 2000, [None, pa.py_buffer(view * 2000), pa.py_buffer(text)])
    arrow(path, {"ts_code": codes(2000), "s": texts})


def arrow_nulls(path):
    rows = 2**31 - 2
    nulls = pa.Array.from_buffers(pa.null(), rows, [None])
    arrow(path, {"ts_code": nulls, "s": nulls})


def arrow_large(path):
    rows = 2_000_000
    arrow(path, {"ts_code": codes(rows), "s": ["x" * 100] * rows})


def date_inflating(path):
    pq.write_table(pa.table({"ts_code": codes(2), "s": ["", "x" * (512 * MIB)]}), path, compression="zstd")


def date_long_texts(path):
    pq.write_table(pa.table({"ts_code": codes(2000), "s": ["x" * MIB] * 2000}), path)


APPENDED = {
    "arrow_dictionary": arrow_dictionary,
    "arrow_codes": arrow_codes,
    "arrow_views": arrow_views,
    "arrow_nulls": arrow_nulls,
    "arrow_large": arrow_large,
    "inflating": date_inflating,
    "long_texts": date_long_texts,
}


def weighed(*args, expect):
    """Runs `transect ARGS` within MEMORY; the exit code and what it told."""
    command = [str(transect.BIN), *map(str, args), "--memory", f"{MEMORY}MiB", "-q"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    status, peak, started = Path(f"/proc/{process.pid}/status"), 0, time.monotonic()
    while process.poll() is None:
        anon = [line for line in status.read_text().splitlines() if line.startswith("RssAnon:")]
        peak = max([peak, *(int(line.split()[1]) * 1024 for line in anon)])
        time.sleep(0.001)
    told = process.stderr.read()
    assert process.returncode in expect, told
    assert peak <= (MEMORY + 64) * MIB, f"{peak / MIB:.0f} MiB; {told}"
    assert time.monotonic() - started < 30, "too long, even on a busy machine"
    return process.returncode, told


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_holds_no_more_than_the_memory(bomb, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    pq.write_table(pa.table({"date": dates(5), "x": list(range(5))}), source / "good.parquet")
    BOMBS[bomb](source / "bomb.parquet")
    command = ["build", source, tmp_path / "store", "--allow", "skipped-files"]
    code, told = weighed(*command, expect=(transect.DONE, transect.SKIPPED))
    if code == transect.SKIPPED:
        assert "bomb.parquet" in told and "good.parquet" not in told, told
        assert "of --memory 64MiB; --memory " in told or "is truncated or damaged" in told, told


@pytest.mark.parametrize("bomb", APPENDED)
def test_an_appended_bomb_is_refused_within_the_memory_and_stops_no_other(bomb, tmp_path):
    source, store = tmp_path / "source", tmp_path / "store"
    source.mkdir()
    pq.write_table(pa.table({"date": ["20240101"], "s": ["good"]}), source / "000000.parquet")
    transect.build(source, store)
    good, path = tmp_path / "20240102.parquet", tmp_path / ("20240103" + (".arrow" if "arrow" in bomb else ".parquet"))
    pq.write_table(pa.table({"ts_code": ["000000"], "s": ["good"]}), good)
    APPENDED[bomb](path)
    _, told = weighed("append", store, good, path, expect=(transect.SKIPPED,))
    assert path.name in told and good.name not in told, told
    assert "of --memory 64MiB; --memory " in told, told
    shown = transect.run("show", store, "--stock", "000000", "--format", "csv").stdout.decode()
    assert "20240102" in shown.replace("-", "") and "20240103" not in shown.replace("-", ""), shown
