"""Small files that would take gigabytes: read within what they may, or refused by name with the figure and the way out.

They come in heaps beside a good file, which must be read. The figure is RssAnon, read from outside; 64 MiB above --memory
are the program's own. The time is the processor's. TRANSECT_BOMBS (150) and TRANSECT_SEED choose; tools/torture asks for
more.
"""

import json
import math
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bombs
import transect

MIB = 2**20
MEMORY = 64
SECONDS = 5
COUNT = int(os.environ.get("TRANSECT_BOMBS", "150"))
SEED = int(os.environ.get("TRANSECT_SEED", "11"))
HEAP = 10

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="RssAnon is Linux's")


def weighed(*args, files, expect):
    """Runs `transect ARGS --json` within MEMORY; its report."""
    command = [str(transect.BIN), *map(str, args), "--memory", f"{MEMORY}MiB", "--json"]
    told = tempfile.TemporaryFile()
    process = subprocess.Popen(command, stdout=told, stderr=subprocess.DEVNULL)
    status, peak, ended = Path(f"/proc/{process.pid}/status"), 0, 0
    while not ended:
        anon = [line for line in status.read_text().splitlines() if line.startswith("RssAnon:")]
        peak = max([peak, *(int(line.split()[1]) * 1024 for line in anon)])
        time.sleep(0.001)
        ended, code, usage = os.wait4(process.pid, os.WNOHANG)
    process.returncode = os.waitstatus_to_exitcode(code)
    told.seek(0)
    report = told.read().decode()
    assert process.returncode in expect, f"{command}: {process.returncode}: {report[:700]}"
    assert peak <= (MEMORY + 64) * MIB, f"{peak / MIB:.0f} MiB; {report[:700]}"
    seconds = usage.ru_utime + usage.ru_stime
    assert seconds < SECONDS * files, f"{seconds:.1f} s for {files} files; {report[:700]}"
    return json.loads(report)


# What is said of a bomb: that it is too large, with the figure and the option; or what is wrong with it.
TOO_LARGE = re.compile(
    r"would take [0-9]+ [MG]iB, more than (a quarter of )?the memory, which is 64 MiB; "
    r"(--memory [0-9]+[MG]iB|`transect update \S+ --memory [0-9]+[MG]iB`) allows it"
)
WRONG = re.compile(r"is damaged|is truncated|no rows|date|code|column|rows for|compressed Arrow|encoded")


def assert_told(names, report, is_good):
    """Every skipped file has a name and a reason, and none is a good one. How many were too large."""
    skipped = transect.skipped(report)
    large = 0
    for file, reason in skipped.items():
        assert not is_good(file), f"{file}: {reason}"
        large += bool(TOO_LARGE.search(reason))
        assert TOO_LARGE.search(reason) or WRONG.search(reason), f"{names[file]}: {reason}"
    return large


def heaps(count, seed, kinds):
    """Bombs of all kinds in turn, in heaps."""
    rng = random.Random(f"{kinds.__name__} {seed}")
    drawn = list(bombs.drawn(kinds(rng), rng, count))
    return [drawn[start : start + HEAP] for start in range(0, count, HEAP)]


def test_every_kind_of_bomb_is_a_good_file_where_it_is_small(tmp_path):
    # Else all of them might be refused for something that is wrong with them.
    path = tmp_path / "bomb.parquet"
    makers = [
        (bombs.long_text("date", 3, 5, "zstd"), 3),
        (bombs.inflating(100, "brotli"), 2),
        (bombs.equal_rows(1000, "snappy", "1.0"), 1000),
        (bombs.equal_rows(1000, "gzip", "2.0"), 1000),
        (bombs.row_groups(5, False), 40),
        (bombs.notes(3, 8), 8),
        (bombs.columns(3), 0),
        (bombs.growing_prefixes(50, "none"), 50),
        (bombs.long_deltas(1, 100, "lz4"), 1),
        (bombs.many_deltas(8, 8, "none"), 8),
        (bombs.many_frames(3, "gzip"), 8),
        (bombs.many_dates(20, 3), 20),
        (bombs.surplus(3, 1000), 2),
        (bombs.dictionaries(3, 5), 2),
        (bombs.group_dictionaries(3, 5), 3),
        (bombs.long_headers(5), 5),
    ]
    for make, rows in makers:
        make(path)
        assert pq.ParquetFile(path).read().num_rows == rows


@pytest.fixture(scope="module")
def long_store(tmp_path_factory):
    """Two stocks of two million rows each on one date."""
    place = tmp_path_factory.mktemp("long")
    (place / "source").mkdir()
    rows = 2_000_000
    columns = {f"x{n}": np.random.default_rng(n).random(rows) for n in range(6)}
    dates = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, dtype=np.int32)), pa.array(["20240102"]))
    table = pa.table({"date": dates, "k": np.arange(rows), **columns})
    for code in ["A", "B"]:
        pq.write_table(table, place / "source" / f"{code}.parquet", row_group_size=100_000)
    transect.run("build", place / "source", place / "store", "--key", "k", "--memory", "2GiB", "-q")
    return place / "store", table


@pytest.mark.parametrize("by", ["stock", "month", "date"])
@pytest.mark.parametrize("form", ["parquet", "arrow", "csv"])
def test_rows_that_are_written_out_hold_no_more_than_the_memory(long_store, tmp_path, by, form):
    store, table = long_store
    out = tmp_path / "out"
    for io in ["map", "read"]:
        weighed("transpose", store, out, "--by", by, "--format", form, "--io", io, "--force", files=40, expect=(0,))
        weighed("verify", store, "--output", out, "--io", io, files=40, expect=(0,))
    if (by, form) == ("stock", "parquet"):
        found = pq.read_table(out / "B.parquet")
        assert found.column("k").equals(table.column("k").cast(found.column("k").type))
        assert found.column("x5").equals(table.column("x5"))


def test_members_of_a_universe_hold_no_more_than_the_memory(long_store, tmp_path):
    store, _ = long_store
    rows = 20_000_000
    same = lambda text: pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, dtype=np.int32)), pa.array([text]))
    bomb = tmp_path / "members.parquet"
    pq.write_table(pa.table({"date": same("20240102"), "ts_code": same("A")}), bomb, row_group_size=rows)
    report = weighed("transpose", store, tmp_path / "out", "--universe", bomb, files=1, expect=(2,))
    assert re.search(r"--universe \S+: .* more than a quarter of the memory.*; --memory [0-9]+MiB allows it", str(report))


def test_rows_that_a_few_bytes_claim_do_not_stop_a_build(tmp_path):
    source, store = tmp_path / "source", tmp_path / "store"
    source.mkdir()
    columns = {f"x{n}": list(range(5)) for n in range(150)}
    pq.write_table(pa.table({"date": bombs.dates(5), **columns}), source / "good.parquet")
    bombs.equal_rows(2**31 - 1, "none", "1.0")(source / "bomb.parquet")
    # Not by `sparse-columns`, although nearly no cell would have a value if all those rows were there.
    report = weighed("build", source, store, "--max-skipped", 1, files=2, expect=(0,))
    assert assert_told({"bomb.parquet": "equal rows"}, report, lambda file: file == "good.parquet") == 1


def test_headers_of_thousands_of_pages_hold_no_more_than_the_memory(tmp_path):
    # A folder of its own: a good file of as many dates, whose columns and those of others would not fit the memory.
    source, store = tmp_path / "source", tmp_path / "store"
    source.mkdir()
    pq.write_table(pa.table({"date": bombs.dates(5), "x": list(range(5))}), source / "good.parquet")
    bombs.long_headers(4000)(source / "long.parquet")
    report = weighed("build", source, store, files=2, expect=(0,))
    assert report["rows"] == 4005 and not transect.skipped(report)
    weighed("verify", store, "--source", source, files=2, expect=(0,))
    weighed("update", store, "--check-content", files=2, expect=(0,))


def test_columns_that_may_all_be_codes_are_not_each_looked_at_in_a_file_opened_anew(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in ["a", "b"]:
        columns = {f"s{n}": ["a", "a"] for n in range(5000)}
        pq.write_table(pa.table({"date": bombs.dates(2)} | columns), source / f"{name}.parquet", use_dictionary=False)
    weighed("build", source, tmp_path / "store", files=2, expect=(0,))


def test_a_file_that_cannot_be_read_column_by_column_is_the_one_that_is_named(tmp_path):
    # All are compared together and a column at a time, as the columns of one take too much together.
    source, store = tmp_path / "source", tmp_path / "store"
    source.mkdir()
    pq.write_table(pa.table({"date": bombs.dates(5), "x": list(range(5))}), source / "good.parquet")
    bombs.equal_rows(10**5, "none", "1.0")(source / "b0.parquet")
    bombs.dictionaries(500, 10**4)(source / "b7.parquet")
    bombs.group_dictionaries(200, 800_000)(source / "b8.parquet")
    weighed("build", source, store, "--allow", "skipped-files,sparse-columns", files=4, expect=(3,))
    report = weighed("verify", store, "--source", source, files=4, expect=(3,))
    assert report["source"]["files"] == 2 and report["source"]["rows"] == 7, report


def test_a_damaged_column_is_found_in_few_steps_among_thousands(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    bombs.arrow(source / "good.arrow", {"date": bombs.dates(2), "x": [1, 2]})
    columns = {f"s{n}": pa.array(["a", "b"]).dictionary_encode() for n in range(1000)}
    bad = pa.DictionaryArray.from_arrays(pa.array([0, 7], pa.int32()), ["a"], safe=False)
    bombs.arrow(source / "bad.arrow", {"date": bombs.dates(2)} | columns | {"z": bad})
    options = ["--input", "arrow", "--allow", "skipped-files,sparse-columns"]
    report = weighed("build", source, tmp_path / "store", *options, files=2, expect=(3,))
    assert re.search(r'its column .*"z.*out of bounds', transect.skipped(report)["bad.arrow"])


@pytest.mark.parametrize("heap", range(math.ceil(COUNT * 2 / 3 / HEAP)))
def test_bombs_hold_no_more_than_the_memory(heap, tmp_path):
    source, store = tmp_path / "source", tmp_path / "store"
    source.mkdir()
    good = pa.table({"date": bombs.dates(5), "x": list(range(5))})
    pq.write_table(good, source / "good.parquet")
    names = {}
    for n, (name, make) in enumerate(heaps(COUNT * 2 // 3 + HEAP, SEED, bombs.by_stock)[heap]):
        make(source / f"b{n}.parquet")
        names[f"b{n}.parquet"] = name
    report = weighed("build", source, store, "--allow", "skipped-files,sparse-columns", files=len(names), expect=(0, 3))
    assert assert_told(names, report, lambda file: file == "good.parquet") > 0
    shown = transect.run("show", store, "--stock", "good", "--columns", "x", "--format", "csv").stdout.decode()
    assert [line.split(",")[-1] for line in shown.split()[1:]] == list("01234")
    weighed("verify", store, "--source", source, files=len(names), expect=(0, 3))
    weighed("update", store, "--check-content", files=len(names), expect=(0, 3))


@pytest.mark.parametrize("heap", range(math.ceil(COUNT / 3 / HEAP)))
def test_appended_bombs_hold_no_more_than_the_memory_and_stop_no_other(heap, tmp_path):
    source, store = tmp_path / "source", tmp_path / "store"
    source.mkdir()
    pq.write_table(pa.table({"date": ["20240101"], "s": ["good"]}), source / "000000.parquet")
    transect.build(source, store)
    good = tmp_path / "20240102.parquet"
    pq.write_table(pa.table({"ts_code": ["000000"], "s": ["good"]}), good)
    paths, names = [], {}
    for n, (name, make) in enumerate(heaps(COUNT // 3 + HEAP, SEED, bombs.by_date)[heap]):
        path = tmp_path / f"202402{n + 1:02}.{'arrow' if name.startswith('arrow') else 'parquet'}"
        make(path)
        paths.append(path)
        names[path.name] = name
    report = weighed("append", store, good, *paths, files=len(names), expect=(3,))
    assert assert_told(names, report, lambda file: file == good.name) > 0
    shown = transect.run("show", store, "--stock", "000000", "--format", "csv").stdout.decode()
    assert "20240102" in shown and "202402" not in shown, shown
