"""Files whose bytes lie, in their thousands, with pyarrow as the oracle.

What pyarrow refuses must not become rows, and what both read must be the same values. A good file lies beside each
mutant and must come out exact. TRANSECT_MUTANTS (2,000) and TRANSECT_SEED choose; tools/torture asks for more.
"""

import math
import multiprocessing
import os
import random
import struct

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

import mutants
import transect

COUNT = int(os.environ.get("TRANSECT_MUTANTS", "2000"))
SEED = int(os.environ.get("TRANSECT_SEED", "11"))
BATCH = 100


def plain(value):
    """A value that is equal to another only where both have the same bits."""
    return struct.pack("<d", value) if isinstance(value, float) else value


def number(column):
    """A column of dates or times as its numbers: Python's do not reach as far."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not pa.types.is_temporal(column.type):
        return column
    return column.cast(pa.int32() if column.type.bit_width == 32 else pa.int64())


def rows_of(table, key):
    """The rows of a table by `key`, however it is written, as dictionaries without nulls; whatever type a column has."""
    table.validate(full=True)
    names = [key if name.lower() == key and key not in table.column_names else name for name in table.column_names]
    table = pa.table([number(column) for column in table.columns], names=names)
    rows = {}
    for row in table.to_pylist():
        shown = {name: plain(value) for name, value in row.items() if value is not None and name != key}
        # A date or a code in bytes is the text that they are.
        value = row[key].decode(errors="replace") if isinstance(row[key], bytes) else row[key]
        rows.setdefault(value, []).append(shown)
    return rows


def parquet_rows(path):
    try:
        table = pq.ParquetFile(path).read()
    except OSError as error:
        if "Invalid flatbuffers message" not in str(error):
            raise
        # Flatbuffers of C++ refuse an Arrow schema that those of Rust read; the columns say the same without it.
        table = pq.ParquetFile(pa.BufferReader(mutants.without_notes(path.read_bytes()))).read()
    return rows_of(table, "trade_date")


def arrow_rows(path):
    with pa.OSFile(str(path)) as file:
        try:
            table = pa.ipc.open_file(file).read_all()
        except OSError as error:
            if "flatbuffer-encoded Footer" not in str(error):
                raise
            # Where an offset is zero, flatbuffers of C++ refuse the footer, and those of Rust read an empty list. Then the
            # messages before the footer, which say all of it, tell what is right.
            file.seek(8)
            table = pa.ipc.open_stream(file).read_all()
        return rows_of(table, "ts_code")


def judged(read, path):
    """What pyarrow makes of a file, in a process of its own: it may abort. An error is a text."""

    def work(sender):
        # Too little for a bomb, and enough for any file here.
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        try:
            sender.send(read(path))
        except BaseException as error:
            sender.send(f"{type(error).__name__}: {error}"[:300])

    receiver, sender = multiprocessing.Pipe(False)
    process = multiprocessing.get_context("fork").Process(target=work, args=(sender,))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        return "pyarrow died"
    finally:
        process.join()


def difference(found, expected, ignored):
    """Where the rows that transect has differ from pyarrow's; None where they do not. A row of the same key and
    values as another is one row."""
    if isinstance(expected, str):
        # "optional string value": a note of the Arrow schema that has no value says nothing.
        is_known = "Tried reading schema message, was null" in expected
        return None if is_known else f"pyarrow refuses it: {expected}"
    if set(found) != set(expected):
        return f"keys {sorted(map(str, set(found) ^ set(expected)))[:5]}"
    for key, rows in expected.items():
        for row in rows:
            theirs = {name: value for name, value in row.items() if name not in ignored}
            ours = {name: value for name, value in found[key][0].items() if name not in ignored}
            if ours != theirs:
                return f"{key}: {ours} where pyarrow has {theirs}"
    return None


def kept(name, path):
    """A finding is kept where TRANSECT_FINDINGS says."""
    if where := os.environ.get("TRANSECT_FINDINGS"):
        with open(os.path.join(where, name + path.suffix), "wb") as file:
            file.write(path.read_bytes())


@pytest.mark.parametrize("kind", ["text", "large", "view", "coded"])
def test_a_text_that_ends_amid_a_character_is_skipped_by_name(kind, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    pq.write_table(pa.table({"trade_date": ["20240102"], "s": ["steel"]}), source / "good.parquet")
    split = transect.ROOT / "tests" / "data" / "crates" / f"split-{kind}.parquet"
    (source / "split.parquet").write_bytes(split.read_bytes())
    built = transect.run("build", source, tmp_path / "store", "--json", expect=(transect.SKIPPED,))
    (skipped,) = built.report["skipped"]
    reason = 'is damaged: its column "s" has a text that is not UTF-8'
    assert (skipped["path"], skipped["reason"]) == ("split.parquet", reason)


def compared(tmp_path, files, note):
    """Builds a store of `files` beside a good one; what differs from pyarrow's account of each."""
    source, store = tmp_path / "source", tmp_path / "store"
    source.mkdir()
    good, *files = files
    (source / "good.parquet").write_bytes(good)
    for n, data in enumerate(files):
        (source / f"m{n:04}.parquet").write_bytes(data)
    allowed = ["--allow", "skipped-files,sparse-columns"]
    built = transect.run("build", source, store, "--json", "--memory", "64MiB", *allowed, expect=(0, transect.SKIPPED))
    skipped = transect.skipped(built.report)
    assert "good.parquet" not in skipped, skipped["good.parquet"]
    found = by_stock(store, tmp_path / "out")
    findings = []
    for path in sorted(source.iterdir()):
        # Without a row of its own a file is no stock.
        ours = found.get(path.stem, {})
        if path.name not in skipped and (why := difference(ours, judged(parquet_rows, path), {"ts_code"})):
            kept(f"{note}-{path.stem}", path)
            findings.append(f"{path.name}: {why}")
    assert not findings, "\n".join(findings)


def by_stock(store, out):
    """The rows of a store by stock, then by date."""
    transect.transpose(store, out)
    found = {}
    for path in transect.sections(out).values():
        for date, rows in rows_of(pq.read_table(path), "trade_date").items():
            for row in rows:
                found.setdefault(row.pop("ts_code"), {}).setdefault(date, []).append(row)
    return found


@pytest.mark.parametrize("batch", range(math.ceil(COUNT * 4 / 5 / BATCH)))
def test_what_pyarrow_refuses_of_parquet_is_refused_and_all_else_is_the_same(batch, tmp_path):
    rng = random.Random(f"parquet {SEED} {batch}")
    seeds = mutants.seeds()
    good = rng.choice(seeds)
    compared(tmp_path, [good, *(mutants.parquet(rng, rng.choice(seeds)) for _ in range(BATCH))], f"{SEED}-{batch}")


# Stocks of several files, keys and sources go other ways: fewer mutants are enough for what they have of their own.
FEW = max(COUNT // 40, 1)


def drawn(note):
    rng, seeds = random.Random(f"{note} {SEED}"), mutants.seeds()
    return [mutants.parquet(rng, rng.choice(seeds)) for _ in range(FEW)]


def paths_of(report):
    return {entry["path"] for entry in report["skipped"]}


def judge(found, skipped, paths, key, ignored):
    """Compares with pyarrow's account of these files, by code; `key` takes rows of dates for rows by a longer key."""
    findings = []
    for code, path, name in paths:
        expected = judged(parquet_rows, path)
        if name in skipped or (isinstance(expected, dict) and not expected):
            continue
        expected = expected if isinstance(expected, str) else key(expected)
        if why := difference(key(found.get(code, {})), expected, ignored):
            kept(f"{SEED}-{code}", path)
            findings.append(f"{name}: {why}")
    assert not findings, "\n".join(findings)


def test_a_mutant_costs_its_stock_where_that_has_a_good_file_beside_it(tmp_path):
    source, store, paths = tmp_path / "source", tmp_path / "store", []
    good = pa.table({"trade_date": ["18500101"], "part": [1]})
    for n, data in enumerate([mutants.seeds()[0], *drawn("parts")]):
        stock = source / f"m{n:04}"
        stock.mkdir(parents=True)
        pq.write_table(good, stock / "a.parquet")
        (stock / "b.parquet").write_bytes(data)
        paths.append((stock.name, stock / "b.parquet", f"{stock.name}/b.parquet"))
    options = ["--pattern", "{code}/{*}.parquet", "--allow", "skipped-files,sparse-columns", "--memory", "64MiB"]
    built = transect.run("build", source, store, "--json", *options, expect=(0, transect.SKIPPED))
    skipped, found = paths_of(built.report), by_stock(store, tmp_path / "out")
    for code, _, name in paths:
        assert ("18500101" in found.get(code, {})) == (name not in skipped), name
        found.get(code, {}).pop("18500101", None)
    judge(found, skipped, paths, dict, {"ts_code", "part"})


def test_a_mutant_among_bars_is_judged_by_its_whole_key(tmp_path):
    source, store, paths = tmp_path / "source", tmp_path / "store", []
    source.mkdir()
    for n, data in enumerate([mutants.seeds()[0], *drawn("bars")]):
        path = source / f"m{n:04}.parquet"
        path.write_bytes(data)
        paths.append((path.stem, path, path.name))
    options = ["--key", "c", "--allow", "skipped-files,sparse-columns", "--memory", "64MiB"]
    built = transect.run("build", source, store, "--json", *options, expect=(0, transect.SKIPPED))
    by_key = lambda dates: {(date, row["c"]): [row] for date, rows in dates.items() for row in rows if "c" in row}
    judge(by_stock(store, tmp_path / "out"), paths_of(built.report), paths, by_key, {"ts_code"})


def test_a_mutant_of_a_second_source_costs_no_row_of_the_first(tmp_path):
    source, base, store, paths = tmp_path / "source", tmp_path / "base", tmp_path / "store", []
    source.mkdir()
    base.mkdir()
    for code in ("m0000", "m0001", "other"):
        pq.write_table(pa.table({"trade_date": ["18500101"], "part": [1]}), base / f"{code}.parquet")
    transect.build(base, store)
    for n, data in enumerate([mutants.seeds()[0], *drawn("sources")]):
        path = source / f"m{n:04}.parquet"
        path.write_bytes(data)
        paths.append((path.stem, path, path.name))
    options = ["--join", "outer", "--allow", "skipped-files,sparse-columns,few-codes", "--memory", "64MiB"]
    added = transect.run("source", "add", store, source, "--json", *options, expect=(0, transect.SKIPPED))
    found = by_stock(store, tmp_path / "out")
    for code in ("m0000", "m0001", "other"):
        assert found[code].pop("18500101") == [{"part": 1}]
    judge(found, paths_of(added.report), paths, dict, {"ts_code", "part"})


@pytest.mark.parametrize("seed", range(2))
def test_each_field_of_a_footer_by_itself_is_judged_as_pyarrow_does(seed, tmp_path):
    good = mutants.small_seed(seed == 1)
    compared(tmp_path, [good, *mutants.sweep(good)], f"sweep-{seed}")


def test_what_pyarrow_refuses_of_arrow_is_refused_and_all_else_is_the_same(tmp_path):
    rng = random.Random(f"arrow {SEED}")
    seeds, source = mutants.arrow_seeds(), tmp_path / "source"
    source.mkdir()
    table = pa.ipc.open_file(pa.BufferReader(seeds[0])).read_all()
    dates = ["19000101"]
    for n, code in enumerate(table["ts_code"].to_pylist()):
        row = table.slice(n, 1).drop_columns(["ts_code"]).add_column(0, "trade_date", pa.array(dates))
        pq.write_table(row, source / f"{code}.parquet")
    store = tmp_path / "store"
    transect.build(source, store)
    findings, paths = [], []
    for n in range(COUNT // 5):
        path = tmp_path / f"{2000 + n // 336}{1 + n // 28 % 12:02}{1 + n % 28:02}.arrow"
        path.write_bytes(mutants.arrow(rng, rng.choice(seeds)))
        paths.append(path)
    skipped = {}
    for start in range(0, len(paths), BATCH):
        run = transect.run("append", store, *paths[start : start + BATCH], "--json", expect=(0, 1, 3, 4))
        assert run.code != 1 or run.report["error"]["kind"] == "inputs", run.report
        skipped |= transect.skipped(run.report)
    for path in paths:
        if any(name.endswith(path.name) for name in skipped):
            continue
        shown = transect.run("show", store, "--date", path.stem, "--format", "parquet", expect=(0, 1))
        found = rows_of(pq.read_table(pa.BufferReader(shown.stdout)), "ts_code") if shown.code == 0 else {}
        if why := difference(found, judged(arrow_rows, path), {"trade_date"}):
            kept(f"{SEED}-{path.stem}", path)
            findings.append(f"{path.name}: {why}")
    assert not findings, "\n".join(findings)
