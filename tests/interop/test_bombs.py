"""Small files that would take gigabytes: read within what they may, or refused by name with the figure and the way out.

Each lies beside a good file, which must be read. The figure is RssAnon; 64 MiB above --memory are the program's own.
"""

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


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_holds_no_more_than_the_memory(bomb, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    pq.write_table(pa.table({"date": dates(5), "x": list(range(5))}), source / "good.parquet")
    BOMBS[bomb](source / "bomb.parquet")
    command = ["build", source, tmp_path / "store", "--memory", f"{MEMORY}MiB", "--allow", "skipped-files", "-q"]
    process = subprocess.Popen([str(transect.BIN), *map(str, command)], stderr=subprocess.PIPE, text=True)
    status, peak, started = Path(f"/proc/{process.pid}/status"), 0, time.monotonic()
    while process.poll() is None:
        anon = [line for line in status.read_text().splitlines() if line.startswith("RssAnon:")]
        peak = max([peak, *(int(line.split()[1]) * 1024 for line in anon)])
        time.sleep(0.001)
    told = process.stderr.read()
    assert process.returncode in (transect.DONE, transect.SKIPPED), told
    assert peak <= (MEMORY + 64) * MIB, f"{peak / MIB:.0f} MiB; {told}"
    assert time.monotonic() - started < 30, "too long, even on a busy machine"
    if process.returncode == transect.SKIPPED:
        assert "bomb.parquet" in told and "good.parquet" not in told, told
        assert "of --memory 64MiB; --memory " in told or "is truncated or damaged" in told, told
