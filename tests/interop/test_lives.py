"""Stores live through random nights, and DuckDB says each time what the source holds.

Files come, change, grow a column, lose rows and go; updates run with 1, 2 and 8 workers, outputs are written from mapped
and from copied bytes, and read back by DuckDB. TRANSECT_LIVES (50) and TRANSECT_SEED choose; tools/torture asks for more.
"""

import os
import random

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import transect

LIVES = int(os.environ.get("TRANSECT_LIVES", "50"))
SEED = int(os.environ.get("TRANSECT_SEED", "11"))
COLUMNS = {"close": pa.float64(), "volume": pa.int64(), "name": pa.string(), "halted": pa.bool_()}
GUARDS = "missing-files,columns-gone,turned-null,skipped-files,few-codes,pruned-rows,appended-rows,sparse-columns"


def value(rng, kind):
    if rng.random() < 0.2:
        return None
    if pa.types.is_floating(kind):
        return rng.choice([0.0, 1.5, -1e300, float("inf"), float("nan"), rng.random()])
    if pa.types.is_integer(kind):
        return rng.choice([0, 1, -1, 127, 2**40, -(2**63), rng.randrange(10**6)])
    return rng.random() < 0.5 if pa.types.is_boolean(kind) else rng.choice(["", "平安", "bank", f"n{rng.randrange(99)}"])


def rows(rng, dates):
    """A file's rows by date, each with a value for all columns."""
    days = rng.sample(dates, rng.randrange(1, len(dates)))
    return {day: {name: value(rng, kind) for name, kind in COLUMNS.items()} for day in days}


def write(path, file, columns):
    days = list(file)
    table = {"trade_date": days}
    for name in columns:
        table[name] = pa.array([file[day][name] for day in days], COLUMNS[name])
    pq.write_table(pa.table(table), path)


def night(rng, source, files, columns, dates):
    """Some of what happens to a folder within a day."""
    for _ in range(rng.randrange(1, 5)):
        code = rng.choice(["A", "B", "000001.SZ", "平安", "x y", f"N{rng.randrange(9)}"])
        way = rng.random()
        if way < 0.35 or code not in files:
            files[code] = rows(rng, dates)
        elif way < 0.6:
            day, name = rng.choice(list(files[code])), rng.choice(list(COLUMNS))
            files[code][day][name] = value(rng, COLUMNS[name])
        elif way < 0.75 and len(files[code]) > 1:
            files[code].pop(rng.choice(list(files[code])))
        elif way < 0.85 and len(files) > 1:
            del files[code]
            (source / f"{code}.parquet").unlink()
            continue
        elif way < 0.95:
            columns[code] = rng.sample(list(COLUMNS), rng.randrange(1, len(COLUMNS) + 1))
        write(source / f"{code}.parquet", files[code], columns.setdefault(code, list(COLUMNS)[:2]))


def panel(connection, files, code):
    """What DuckDB reads in files, as rows that compare: codes, dates, then all columns, null where there are none."""
    options = "union_by_name = true, filename = true, hive_partitioning = false"
    relation = connection.sql(f"from read_parquet('{files}', {options})")
    chosen = [f'"{name}"' if name in relation.columns else f'null as "{name}"' for name in COLUMNS]
    rows = relation.project(f"{code} as code, trade_date, {', '.join(chosen)}").fetchall()
    return sorted(map(repr, rows))


@pytest.mark.parametrize("life", range(LIVES))
def test_a_store_holds_what_duckdb_reads_in_its_source_after_every_night(life, tmp_path):
    rng = random.Random(f"life {SEED} {life}")
    source, store, out = tmp_path / "source", tmp_path / "store", tmp_path / "out"
    source.mkdir()
    dates = sorted(rng.sample([f"2024{month:02}{day:02}" for month in range(1, 13) for day in range(1, 29)], 12))
    files, columns = {}, {}
    connection = duckdb.connect()
    night(rng, source, files, columns, dates)
    transect.build(source, store, "-j", rng.choice([1, 2, 8]))
    for _ in range(4):
        access, workers = rng.choice(["map", "read"]), rng.choice([1, 2, 8])
        transect.transpose(store, out, "--io", access, "-j", workers)
        expected = panel(connection, source / "*.parquet", "parse_filename(filename, true)")
        assert panel(connection, out / "*.parquet", "ts_code") == expected
        transect.verify(store, "--source", source, "--output", out, "-j", workers)
        night(rng, source, files, columns, dates)
        transect.run("update", store, "--prune", "-j", workers, "--allow", GUARDS, "-q")
    assert transect.info(store)["rows"] == sum(map(len, files.values()))
