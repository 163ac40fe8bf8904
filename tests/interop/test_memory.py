"""What a run allocates stays within what it was given, on a panel that would not fit.

The figure is RssAnon: mapped pages are the kernel's and go when it wants them. It is read every millisecond from /proc,
so that Linux alone tells.
"""

import datetime
import resource
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import transect

MIB = 2**20
# What the allocator keeps of what was given back to it.
KEPT = 16 * MIB

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="RssAnon is Linux's")


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A panel whose values take more than twice the least budget."""
    home = tmp_path_factory.mktemp("large")
    rows = transect.synth(home / "source", "--preset", "barra", "--stocks", 1500, "--dates", 2200)["rows"]
    assert rows * 10 * 8 > 2 * 64 * MIB, f"{rows} rows of ten doubles"
    return home


def refused_within(limit, *args):
    """What a run says that may not have so much anonymous memory, and fails."""
    command = [str(transect.BIN), *map(str, args)]
    limited = partial(resource.setrlimit, resource.RLIMIT_DATA, (limit, limit))
    done = subprocess.run(command, preexec_fn=limited, capture_output=True, text=True)
    assert done.returncode == transect.FAILED, (args, done.stderr)
    return done.stderr


def peak_anon(*args, least=MIB):
    """The most anonymous memory that was seen of a run, in bytes; less than `least` says that nothing was seen."""
    process = subprocess.Popen([str(transect.BIN), *map(str, args)], stdout=subprocess.DEVNULL)
    status, peak = Path(f"/proc/{process.pid}/status"), 0
    while process.poll() is None:
        anon = [line for line in status.read_text().splitlines() if line.startswith("RssAnon:")]
        peak = max([peak, *(int(line.split()[1]) * 1024 for line in anon)])
        time.sleep(0.001)
    assert process.returncode == 0, args
    assert peak > least, "nothing was measured"
    return peak


@pytest.mark.parametrize("workers", [1, 2, 4, 8])
def test_a_build_keeps_to_its_memory(large, tmp_path, workers):
    peak = peak_anon("build", large / "source", tmp_path / "store", "-q", "--memory", "64MiB", "-j", workers)
    assert peak <= 64 * MIB, f"{peak / MIB:.0f} MiB"
    # Parts of the intermediate files are given back while others are still read: nothing may be missing.
    transect.verify(tmp_path / "store", "--source", large / "source")


def test_a_transpose_needs_little(large, tmp_path):
    transect.build(large / "source", tmp_path / "store")
    peak = peak_anon("transpose", tmp_path / "store", tmp_path / "out", "-q")
    assert peak <= 128 * MIB, f"{peak / MIB:.0f} MiB"


def test_a_build_by_date_keeps_to_its_memory(large, tmp_path):
    transect.build(large / "source", tmp_path / "store")
    transect.transpose(tmp_path / "store", tmp_path / "out")
    again = tmp_path / "again"
    peak = peak_anon("build", tmp_path / "out", again, "--files-by", "date", "-q", "--memory", "64MiB", "-j", 2)
    assert peak <= 64 * MIB, f"{peak / MIB:.0f} MiB"
    # The outputs of the first store make the first store again.
    transect.verify(again, "--source", tmp_path / "out")


def run_within(plan, memory, *tasks):
    """Runs tasks of a plan, none of which takes more than that."""
    for task in tasks:
        name, *number = task.split()
        peak = peak_anon("task", name, plan, *number, "-q")
        assert peak <= memory, f"{task}: {peak / MIB:.0f} MiB"


def test_each_task_keeps_to_the_memory_of_its_plan(large, tmp_path):
    source, store, out, cut = tmp_path / "source", tmp_path / "store", tmp_path / "out", ["--parts", 2, "--bands", 2]
    within = ["--memory", "64MiB", "-q"]
    source.symlink_to(large / "source")
    build, night, files = (tmp_path / name for name in ["build", "night", "files"])
    transect.run("task", "plan", source, store, "--staging", build, *cut, *within)
    run_within(build / "plan.json", 64 * MIB, "gather 0", "gather 1", "assemble", "seal 0", "seal 1", "commit")
    transect.verify(store, "--source", source)
    # All of its rows are others.
    source.unlink()
    transect.synth(source, "--preset", "barra", "--stocks", 1500, "--dates", 2200, "--seed", 1)
    transect.run("task", "update", store, "--staging", night, *cut, *within, "--allow", "turned-null,pruned-rows")
    each = ["gather 0", "gather 1", "assemble", "compare 0", "compare 1", "seal 0", "seal 1", "commit"]
    run_within(night / "plan.json", 64 * MIB, *each)
    transect.verify(store, "--source", source)
    transect.run("task", "transpose", store, out, "--staging", files, "--parts", 2, *within)
    run_within(files / "plan.json", 64 * MIB, "write 0", "write 1", "commit")
    # Files of dates, of which each row is another.
    days = sorted(out.glob("2*.parquet"))[:40]
    for day in days:
        table = pq.read_table(day)
        place = table.schema.get_field_index("size")
        pq.write_table(table.set_column(place, "size", pc.add(table["size"], 1.0)), day)
    appended = tmp_path / "days"
    transect.run("task", "append", store, *days, "--staging", appended, *cut, *within)
    run_within(appended / "plan.json", 64 * MIB, *each)
    transect.verify(store)


def distinct_texts(directory, columns, rows, start=0):
    """Two stocks, each with that many rows on one date, in whose columns no two texts are the same."""
    directory.mkdir(exist_ok=True)
    for code in range(2):
        numbers = range(start + 2 * code * rows * columns, start + (2 * code + 1) * rows * columns)
        texts = {f"t{n}": pa.array([f"t{at:09}" for at in numbers[n * rows : (n + 1) * rows]]) for n in range(columns)}
        table = pa.table({"date": ["20240102"] * rows, "k": range(rows), **texts})
        pq.write_table(table, directory / f"S{code}.parquet")


def test_distinct_texts_are_held_within_the_memory(tmp_path):
    source, store = tmp_path / "source", tmp_path / "store"
    distinct_texts(source, 1, 170_000)
    peak = peak_anon("build", source, store, "--key", "k", "-q", "--memory", "64MiB", "-j", 2)
    assert peak <= 64 * MIB + KEPT, f"{peak / MIB:.0f} MiB"
    # All of them are new, beside those that the store has.
    distinct_texts(source, 1, 170_000, 10**8)
    update = ["update", store, "-q", "--memory", "64MiB", "-j", 2]
    peak = peak_anon(*update)
    assert peak <= 64 * MIB + KEPT, f"{peak / MIB:.0f} MiB"
    transect.verify(store, "--source", source)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_rows_that_take_more_beside_their_few_values_are_checked_within_the_memory(tmp_path, workers):
    source, store = tmp_path / "source", tmp_path / "store"
    source.mkdir()
    for code in range(100):
        table = pa.table({"date": ["20240102"] * 30_000, "k": range(30_000), "x": pa.array(range(30_000), pa.float32())})
        pq.write_table(table, source / f"S{code:03}.parquet")
    transect.run("build", source, store, "--key", "k")
    peak = peak_anon("verify", store, "--source", source, "-q", "--memory", "64MiB", "-j", workers)
    assert peak <= 64 * MIB, f"{peak / MIB:.0f} MiB"


def test_texts_that_are_too_many_are_refused_within_the_memory_that_is_given_and_built_within_that_which_is_advised(
    tmp_path,
):
    source, store = tmp_path / "source", tmp_path / "store"
    distinct_texts(source, 10, 100_000)
    build = ["build", source, store, "--key", "k", "-q", "-j", 2]
    refused = transect.run(*build, "--memory", "64MiB", expect=transect.FAILED).stderr
    assert "take more than a quarter of the memory (16 MiB); --memory " in refused, refused
    advised = refused.split("; --memory ")[1].split("MiB")[0]
    peak = peak_anon(*build, "--memory", f"{advised}MiB")
    assert peak <= int(advised) * MIB + KEPT, f"{peak / MIB:.0f} MiB of {advised}"
    # Read again, they are held beside those that the store has.
    update = ["update", store, "--reread", "-q", "-j", 2]
    refused = transect.run(*update, "--memory", f"{advised}MiB", expect=transect.FAILED).stderr
    assert "that the store has, take more than a quarter of the memory" in refused, refused
    advised = refused.split("; --memory ")[1].split("MiB")[0]
    peak = peak_anon(*update, "--memory", f"{advised}MiB")
    assert peak <= int(advised) * MIB + KEPT, f"{peak / MIB:.0f} MiB of {advised}"


def test_of_a_store_that_is_read_the_texts_are_held_once(tmp_path):
    source, store = tmp_path / "source", tmp_path / "store"
    distinct_texts(source, 10, 300_000)
    transect.build(source, store, "--key", "k", "--memory", "1GiB")
    # 60 MB, and their places.
    texts = 82 * MIB
    peak = peak_anon("verify", store, "--io", "read")
    assert peak <= texts + 32 * MIB, f"verify: {peak / MIB:.0f} MiB"
    # Of columns that nobody asks for none is held.
    few, of_numbers = ["--columns", "t3"], ["--columns", "k", "--memory", "64MiB"]
    for look in [
        ["info", store],
        ["log", store],
        ["coverage", store],
        ["report", store, tmp_path / "report.html"],
        ["show", store, "--stock", "S0", *few, "--format", "csv"],
        ["show", store, "--date", "20240102", *few, "--format", "csv"],
        ["transpose", store, tmp_path / "of_numbers", *of_numbers, "-j", 1, "-q"],
        ["transpose", store, tmp_path / "by_stock", *of_numbers, "-j", 1, "-q", "--by", "stock"],
        ["transpose", store, tmp_path / "of_t3", *few, "--memory", "64MiB", "-j", 1, "-q"],
    ]:
        # The first two take a few milliseconds.
        peak = peak_anon(*look, "--io", "read", least=0 if look[0] in ("info", "log") else MIB)
        assert peak <= 64 * MIB, f"{look}: {peak / MIB:.0f} MiB"
    for few in [["verify", store], ["transpose", store, tmp_path / "out"], ["update", store]]:
        # Lengths are looked at before texts.
        refused = refused_within(64 * MIB, *few, "--io", "read", "--memory", "64MiB", "-j", 2)
        assert "the store's texts take 81 MiB" in refused, refused
    verify = ["verify", store, "--io", "read", "--source", source]
    refused = transect.run(*verify, "--memory", "64MiB", expect=transect.FAILED).stderr
    assert "the store's texts take 81 MiB of the memory, which is 64 MiB; 64 MiB are to be left" in refused, refused
    advised = refused.split("; --memory ")[1].split("MiB")[0]
    peak = peak_anon(*verify, "--memory", f"{advised}MiB")
    assert peak <= int(advised) * MIB + 64 * MIB, f"{peak / MIB:.0f} MiB of {advised}"


def test_what_there_is_to_see_of_many_columns_is_held_within_the_memory(tmp_path):
    source, store = tmp_path / "source", tmp_path / "store"
    source.mkdir()
    numbers = pa.array([(-1.0) ** at * 2.0 ** (at % 60 - 30) * (1 + at / 5000) for at in range(5000)])
    columns = {f"x{n}": numbers for n in range(400)}
    pq.write_table(pa.table({"date": ["20240102"] * 5000, "k": range(5000), **columns}), source / "A.parquet")
    transect.build(source, store, "--key", "k")
    for look in [["coverage", store, "--json"], ["report", store, tmp_path / "report.html"]]:
        peak = peak_anon(*look, "--memory", "64MiB", "-j", 1)
        assert peak <= 64 * MIB + KEPT, f"{look[0]}: {peak / MIB:.0f} MiB"
        refused = transect.run(*look, "--memory", "4MiB", expect=transect.FAILED).stderr
        assert "what there is to tell of 401 columns and 1 stocks in 1 months takes " in refused, refused


def test_columns_of_which_each_file_has_its_own_are_held_within_the_memory(tmp_path):
    source, store, out = tmp_path / "source", tmp_path / "store", tmp_path / "out"
    source.mkdir()
    for file in range(20):
        names = "".join(f",q{file}_{n}" for n in range(2000))
        (source / f"{file:03}.csv").write_text(f"trade_date{names}\n20240102{',1' * 2000}\n")
    build = ["build", source, store, "--input", "csv"]
    refused = transect.run(*build, "--memory", "64MiB", expect=transect.FAILED).stderr
    assert "40002 columns take " in refused and "more than half of the memory, which is 64 MiB" in refused, refused
    advised = refused.split("; --memory ")[1].split("MiB")[0]
    commands = [build, ["update", store, "--reread"], ["verify", store, "--source", source]]
    for args in [*commands, ["transpose", store, out], ["verify", store, "--output", out]]:
        # What is compared with a Parquet file decodes each of its columns.
        given = int(advised) if "--output" not in args else 512
        peak = peak_anon(*args, "-q", "--memory", f"{given + 100 if 'transpose' in args else given}MiB")
        assert peak <= given * MIB, f"{args}: {peak / MIB:.0f} MiB of {given}"


@pytest.mark.parametrize("form", ["parquet", "arrow", "csv"])
def test_many_columns_of_a_few_rows_a_date_are_put_together_within_the_memory(tmp_path, form):
    source, store, out = tmp_path / "source", tmp_path / "store", tmp_path / "out"
    source.mkdir()
    first = datetime.date(2014, 1, 1)
    days = [(first + datetime.timedelta(days=day)).strftime("%Y%m%d") for day in range(2500)]
    columns = {f"x{n}": [n + day / 4 for day in range(2500)] for n in range(300)}
    texts = {"text": [f"t{day % 7}" if day % 3 else None for day in range(2500)]}
    tables = {code: pa.table({"trade_date": days, **columns, **texts}) for code in ["A", "B"]}
    for code, table in tables.items():
        pq.write_table(table, source / f"{code}.parquet")
    transect.build(source, store)
    for args in [["transpose", store, out, "--by", "all", "--format", form], ["verify", store, "--output", out]]:
        peak = peak_anon(*args, "-q", "--memory", "64MiB")
        assert peak <= 96 * MIB, f"{args}: {peak / MIB:.0f} MiB"
    if form == "parquet":
        read = pq.read_table(out / "all.parquet")
        for code, table in tables.items():
            assert read.filter(pc.equal(read["ts_code"], code)).drop_columns("ts_code").equals(table)


def test_wide_pieces_are_put_together_within_the_memory(tmp_path):
    rows, columns = 100_000, 120
    source = tmp_path / "source"
    source.mkdir()
    equal = {f"x{n}": pa.array([n + 0.5] * rows) for n in range(columns)}
    table = pa.table({"date": pa.array(["20240102"] * rows), "k": range(rows), **equal})
    pq.write_table(table, source / "A.parquet")
    assert 65_536 * columns * 8 > 48 * MIB, "a piece"
    build = ["build", source, "--key", "k", "-q", "-j", 2]
    # What fits is put together in memory; how, no byte tells.
    stores = [tmp_path / "little", tmp_path / "much"]
    for store, memory in zip(stores, ["64MiB", "4GiB"], strict=True):
        peak = peak_anon(*build, store, "--memory", memory)
        assert memory != "64MiB" or peak <= 64 * MIB, f"{peak / MIB:.0f} MiB"
    segments = [sorted((store / "segment").glob("*.arrow")) for store in stores]
    for little, much in zip(*segments, strict=True):
        assert little.read_bytes() == much.read_bytes()
    assert [path.name for path in stores[0].iterdir() if "spill" in path.name] == []
    transect.verify(stores[0], "--source", source)


def test_wide_pieces_are_compared_within_the_memory(tmp_path):
    rows, columns = 70_000, 60
    source, store = tmp_path / "source", tmp_path / "store"
    source.mkdir()
    # One stock, so that its two pieces are compared at once.
    values = {f"x{n}": pa.array(range(rows), pa.float64()) for n in range(columns)}
    for key in (0, rows):
        table = pa.table({"date": pa.array(["20240102"] * rows), "k": range(key, key + rows), **values})
        pq.write_table(table, source / "A.parquet", compression="none")
        if key == 0:
            transect.build(source, store, "--key", "k")
    peak = peak_anon("update", store, "-q", "-j", 2, "--memory", "64MiB", "--allow", "pruned-rows")
    assert peak <= 64 * MIB, f"{peak / MIB:.0f} MiB"
    transect.verify(store, "--source", source)


def test_outputs_with_long_texts_are_written_and_compared_within_the_memory(tmp_path):
    source, store = tmp_path / "source", tmp_path / "store"
    source.mkdir()
    # 80 MB of distinct texts, and one of 256 KiB that each row has: 390 MB in a section.
    for code in range(30):
        days = [f"2024{month:02}{day:02}" for month in range(1, 13) for day in range(1, 29)]
        own = [f"{code:03} {day} ".ljust(8000, "x") for day in days]
        dictionary = pa.DictionaryArray.from_arrays(pa.array([0] * len(days), pa.int32()), ["z" * 2**18])
        pq.write_table(pa.table({"date": days, "own": own, "same": dictionary}), source / f"S{code:03}.parquet")
    transect.build(source, store, "--memory", "1GiB")
    for by in ["date", "month", "all", "stock"]:
        transposed = ["transpose", store, tmp_path / by, "--by", by, "--memory", "64MiB", "-j", "2", "-q"]
        compared = ["verify", store, "--output", tmp_path / by, "--memory", "64MiB", "-j", "2", "-q"]
        for run in [transposed, compared]:
            peak = peak_anon(*run)
            assert peak <= 128 * MIB, f"{run[0]} by {by}: {peak / MIB:.0f} MiB"
    table = pq.read_table(tmp_path / "all" / "all.parquet")
    assert (table.num_rows, len(set(table["own"].to_pylist()))) == (30 * 336, 30 * 336)
