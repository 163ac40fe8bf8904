"""Runs the transect binary, and compares tables bit for bit.

All that these tests know of the command line's spelling and of the store's layout is here.
"""

import datetime
import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[2]
BIN = (Path.cwd() / os.environ.get("TRANSECT_BIN", ROOT / "target" / "release" / "transect")).resolve()
DATA = (Path.cwd() / os.environ.get("TRANSECT_DATA", ROOT.parent / "shared" / "data")).resolve()

DONE, FAILED, USAGE, SKIPPED, STOPPED, BUSY, DAMAGED = 0, 1, 2, 3, 4, 5, 6


class Run:
    """What one call of the binary gave."""

    def __init__(self, done):
        self.code = done.returncode
        self.stdout = done.stdout
        self.stderr = done.stderr.decode(errors="replace")

    @property
    def report(self):
        return json.loads(self.stdout)


def run(*args, expect=DONE, timeout=300):
    """Runs `transect ARGS` and checks its exit code, one or several of which are right."""
    command = [str(BIN), *map(str, args)]
    done = Run(subprocess.run(command, capture_output=True, timeout=timeout))
    right = expect if isinstance(expect, tuple) else (expect,)
    assert done.code in right, (
        f"{' '.join(command)}\nended with {done.code}, should be {right}\n"
        f"{done.stdout[:2000].decode(errors='replace')}\n{done.stderr[:4000]}"
    )
    return done


def synth(directory, *options):
    return run("synth", directory, "--json", *options).report


def build(source, store, *options, expect=DONE):
    return run("build", source, store, "--json", *options, expect=expect).report


def transpose(store, out, *options, expect=DONE):
    return run("transpose", store, out, "--json", *options, expect=expect).report


def verify(store, *options, expect=DONE):
    return run("verify", store, "--json", *options, expect=expect).report


def show(store, date, form):
    return run("show", store, "--date", date, "--format", form).stdout


def info(store):
    return run("info", store, "--json").report


def skipped(report):
    """The names of the input files that a report lists as skipped, each with its reason, whatever the list looks like."""
    found = {}
    entries = report.get("skipped", [])
    if isinstance(entries, dict):
        return {Path(name).name: str(reason) for name, reason in entries.items()}
    for entry in entries:
        if isinstance(entry, str):
            name, reason = entry, entry
        elif isinstance(entry, dict):
            name = next(entry[key] for key in ("file", "path", "name", "input") if key in entry)
            reason = json.dumps(entry, ensure_ascii=False)
        else:
            name, reason = entry[0], str(entry[1:])
        found[Path(name).name] = reason
    return found


def sections(out, suffix="parquet"):
    """The files of an output folder by date, 20240102 and so on, in order."""
    found = {}
    for path in sorted(out.iterdir()):
        match = re.fullmatch(rf"(\d{{8}})\.{suffix}", path.name)
        if match:
            found[match.group(1)] = path
        else:
            # The ledger, and nothing left over from writing.
            assert path.name == f".transect.{suffix}", path
    return found


def segments(store):
    found = sorted((store / "segment").glob("*.arrow"))
    assert found, f"{store} has no segments"
    return found


def program_of_the_readme():
    """What the README shows of reading a store without transect, run as it stands there."""
    text = (ROOT / "README.md").read_text().split("## The store without transect")[1]
    found = {}
    exec(text.split("```python\n")[1].split("```")[0], found)
    return found["section"]


def inputs(source):
    """(code, path) of each Parquet file of a folder, in the order of their names."""
    return [(path.stem, path) for path in sorted(source.iterdir()) if path.suffix == ".parquet" and path.is_file()]


def write_panel(source, tables):
    """Writes {code: pyarrow table} as one file a stock."""
    source.mkdir(parents=True, exist_ok=True)
    for code, table in tables.items():
        pq.write_table(table, source / f"{code}.parquet")
    return source


# Tables


def plain(array):
    """An array in one piece, its dictionary resolved and its text and bytes in the ordinary layout.

    date64 becomes date32: pyarrow's Parquet reader makes it that, its Arrow reader does not.
    """
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if pa.types.is_date64(array.type):
        array = array.cast(pa.date32())
    if pa.types.is_large_string(array.type) or pa.types.is_string_view(array.type):
        array = array.cast(pa.string())
    if pa.types.is_large_binary(array.type) or pa.types.is_binary_view(array.type):
        array = array.cast(pa.binary())
    return array


def raw_bits(array):
    """The bits of a floating array as unsigned integers; 0 where it is null."""
    width = array.type.bit_width // 8
    if len(array) == 0 or array.buffers()[1] is None:
        return np.zeros(len(array), dtype=f"u{width}")
    bits = np.frombuffer(array.buffers()[1], dtype=f"u{width}")[array.offset : array.offset + len(array)]
    return np.where(valid(array), bits, 0)


def valid(array):
    return np.asarray(array.is_valid().to_numpy(zero_copy_only=False))


def assert_same_array(expected, actual, what):
    expected, actual = plain(expected), plain(actual)
    assert actual.type == expected.type, f"{what}: {actual.type}, should be {expected.type}"
    assert len(actual) == len(expected), f"{what}: {len(actual)} rows, should be {len(expected)}"
    if pa.types.is_floating(expected.type):
        differ = (valid(expected) != valid(actual)) | (raw_bits(expected) != raw_bits(actual))
        places = np.flatnonzero(differ)
    elif expected.equals(actual):
        places = []
    else:
        places = [place for place in range(len(expected)) if not expected[place].equals(actual[place])]
        assert places, f"{what}: differs"
    if len(places):
        place = int(places[0])
        raise AssertionError(
            f"{what}: {len(places)} of {len(expected)} rows differ, the first is row {place}: "
            f"{actual[place]!r}, should be {expected[place]!r}"
        )


def assert_same(expected, actual, what="table"):
    """Fails unless two tables have the same columns in the same order, types and values, doubles by their bits."""
    assert actual.column_names == expected.column_names, f"{what}: {actual.column_names} != {expected.column_names}"
    for name in expected.column_names:
        assert_same_array(expected[name], actual[name], f"{what}, column {name}")


def days(array):
    """Dates in any of the usual spellings as date32."""
    array = plain(array)
    kind = array.type
    if pa.types.is_date32(kind):
        return array
    if pa.types.is_integer(kind):
        array = array.cast(pa.int64()).cast(pa.string())
        kind = array.type
    if pa.types.is_string(kind):
        digits = pc.replace_substring_regex(array, "[-/]", "")
        dashed = pc.replace_substring_regex(digits, r"^(\d{4})(\d{2})(\d{2})$", r"\1-\2-\3")
        return dashed.cast(pa.date32())
    if pa.types.is_timestamp(kind):
        return array.cast(pa.timestamp(kind.unit)).cast(pa.date32(), safe=False)
    return array.cast(pa.date32())


def day(digits):
    """The date that is spelt 20240102."""
    return datetime.date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))


def with_days(table, column):
    """The table with its dates as date32."""
    return table.set_column(table.column_names.index(column), column, days(table[column]))


def by_date(table, date, code="ts_code"):
    """{20240102: rows by code} for each date of a panel."""
    table = in_order(table, date, code)
    found, start = {}, 0
    encoded = pc.run_end_encode(days(table[date]))
    for value, end in zip(encoded.values.to_pylist(), encoded.run_ends.to_pylist()):
        found[value.strftime("%Y%m%d")] = table.slice(start, end - start)
        start = end
    return found


def in_order(table, date, code="ts_code"):
    """A panel by date, then code, the order of sections and segments."""
    for place, field in enumerate(table.schema):
        if pa.types.is_string_view(field.type):  # which `take` does not know
            table = table.set_column(place, field.name, table[field.name].cast(pa.string()))
    keys = pa.table({"day": days(table[date]), "code": plain(table[code])})
    return table.take(pc.sort_indices(keys, sort_keys=[("day", "ascending"), ("code", "ascending")]))
