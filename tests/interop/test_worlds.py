"""Stores of several sources live through random days, and pyarrow alone says each time what they hold.

The key has no, one or two further columns; one to four sources lie by stock and by date, in one file a unit or two. They
come, change, are called otherwise, give a column another name and go; rows are appended and versions restored. Beside
each store stands a dictionary by whole key. TRANSECT_LIVES and TRANSECT_SEED choose, as for the lives of one source.
"""

import copy
import os
import random
import struct

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import transect
from test_lives import GUARDS, SEED

WORLDS = max(1, int(os.environ.get("TRANSECT_LIVES", "50")) // 5)
DATES = ["20231229", "20240102", "20240103", "20240104"]
CODES = ["A", "B", "000001.SZ", "平安"]
NUMBERS = [None, 0.0, -0.0, 1.5, float("inf"), float("nan")]


class Source:
    """A folder, and what a store has of it."""

    def __init__(self, home, place, rng):
        self.folder = home / f"s{place}"
        self.name, self.column, self.place = self.folder.name, f"v{place}", place
        self.by_date, self.is_split = rng.random() < 0.5, rng.random() < 0.5
        self.files, self.appended, self.rows = {}, {}, {}

    def path(self, key):
        """Where the row of a key lies."""
        unit = key[0] if self.by_date else key[1]
        return f"{unit}/{sum(map(ord, repr(key))) % 2}.parquet" if self.is_split else f"{unit}.parquet"

    def options(self):
        pattern = ["--pattern", ("{date}" if self.by_date else "{code}") + "/{*}.parquet"] if self.is_split else []
        return [*pattern, *(["--files-by", "date"] if self.by_date else [])]

    def read(self):
        """What the store has of it once all files were read: what they hold, and what was appended beside it."""
        own = {key: value for rows in self.files.values() for key, value in rows.items()}
        self.appended = {key: value for key, value in self.appended.items() if key not in own}
        self.rows = own | self.appended


class World:
    def __init__(self, home, rng):
        self.home, self.rng, self.store = home, rng, home / "store"
        self.key = ["k", "t"][: rng.randrange(3)]
        self.all = [Source(home, place, rng) for place in range(4)]
        self.sources, self.versions = [], {}
        for source in self.all:
            for _ in range(6):
                self.change(source)

    def some_key(self):
        further = [self.rng.randrange(3), self.rng.choice(["", "x", "平"])][: len(self.key)]
        return (self.rng.choice(DATES), self.rng.choice(CODES), *further)

    def table(self, rows, names, column):
        """Rows in any order, under these names of date and code, or without the one or the other."""
        keys = self.rng.sample(list(rows), len(rows))
        types = [pa.string(), pa.string(), pa.int64(), pa.string()]
        named = zip([*names, *self.key], zip(*keys), types)
        columns = {name: pa.array(values, kind) for name, values, kind in named if name}
        return pa.table(columns | {column: pa.array([rows[key] for key in keys], pa.float64())})

    def change(self, source):
        """A row of its files comes, changes or goes, unless it is the last."""
        key, count = self.some_key(), sum(map(len, source.files.values()))
        path = source.path(key)
        rows = dict(source.files.get(path, {}))
        if key in rows and self.rng.random() < 0.4 and count > 1:
            del rows[key]
        else:
            rows[key] = self.rng.choice(NUMBERS)
        whole = source.folder / path
        whole.parent.mkdir(parents=True, exist_ok=True)
        if not rows:
            whole.unlink()
            del source.files[path]
            return
        source.files[path] = rows
        names = [None, "ts_code"] if source.by_date else ["trade_date", None]
        pq.write_table(self.table(rows, names, f"v{source.place}"), whole)

    def run(self, *words):
        return transect.run(*words, "-j", self.rng.choice([1, 2, 8]), "-q")

    def update(self, *words):
        self.run("update", self.store, "--prune", "--allow", GUARDS, *words)
        for source in self.sources:
            source.read()

    def step(self):
        rng, source = self.rng, self.rng.choice(self.sources)
        free = [one for one in self.all if one.folder not in [own.folder for own in self.sources]]
        way = rng.randrange(8)
        if way <= 1:
            for _ in range(rng.randrange(1, 6)):
                self.change(rng.choice(self.all))
            self.update()
        elif way == 2 and free:
            source = copy.copy(rng.choice(free))
            source.name, source.column, source.appended = source.folder.name, f"v{source.place}", {}
            self.run("source", "add", self.store, source.folder, *source.options(), "--allow", GUARDS)
            source.read()
            self.sources.append(source)
        elif way == 3 and len(self.sources) > 1:
            self.run("source", "drop", self.store, source.name)
            self.sources.remove(source)
        elif way == 4:
            name = {f"s{source.place}": f"n{source.place}"}.get(source.name, f"s{source.place}")
            self.run("source", "rename", self.store, source.name, name)
            source.name = name
        elif way == 5:
            plain, other = f"v{source.place}", f"w{source.place}"
            change = f"rename+={plain}:{other}" if source.column == plain else f"rename-={plain}"
            self.run("source", "set", self.store, f"{source.name}.{change}", "--allow", GUARDS)
            source.column = other if source.column == plain else plain
        elif way == 6:
            # Rows that no file has; which ones stand beside a file's is told by the tests in Rust.
            key = self.some_key()
            if all(key not in rows for rows in source.files.values()):
                file = self.home / f"{key[0]}.parquet"
                rows = {key: rng.choice(NUMBERS)}
                pq.write_table(self.table(rows, [None, "ts_code"], source.column), file)
                self.run("append", self.store, file, "--source", source.name, "--allow", GUARDS)
                source.appended |= rows
                source.rows |= rows
        elif way == 7 and len(self.versions) > 1:
            version = rng.choice(list(self.versions))
            self.run("restore", self.store, "--version", version, "--allow", GUARDS)
            files = {source.folder: source.files for source in self.all}
            self.sources = copy.deepcopy(self.versions[version])
            self.assert_holds()
            for source in self.sources:
                source.files = files[source.folder]
            self.update("--reread")
        self.assert_holds()

    def assert_holds(self):
        """The live version is as expected, by pyarrow alone and in all files; and it is remembered."""
        section = transect.program_of_the_readme()
        names = ["ts_code", *self.key]
        expected = joined(self.sources)
        columns = sorted(source.column for source in self.sources)
        found = {}
        for day in sorted({key[0] for key in expected}):
            found |= rows_of(section(self.store, transect.day(day)), day, names, columns)
        assert found == expected
        out = self.home / self.rng.choice(["date", "stock", "all"])
        transect.transpose(self.store, out, "--by", out.name, "--force")
        found = {}
        for path in out.glob("*.parquet"):
            if not path.name.startswith("."):
                found |= rows_of(pq.read_table(path), None, names, columns)
        assert found == expected
        self.versions[transect.info(self.store)["version"]] = copy.deepcopy(self.sources)


def joined(sources):
    """{key: (bits or None, ...)}, by columns in the order of their names."""
    sources = sorted(sources, key=lambda source: source.column)
    keys = {key for source in sources for key in source.rows}
    return {key: tuple(bits(source.rows.get(key)) for source in sources) for key in keys}


def bits(value):
    return None if value is None else struct.pack("<d", value)


def rows_of(table, day, names, columns):
    """The rows of a table, which stand in the order of their keys, each once."""
    date = next(name for name in table.column_names if name in ("date", "trade_date"))
    days = [value.strftime("%Y%m%d") for value in transect.days(table[date]).to_pylist()]
    assert day is None or set(days) == {day}
    keys = list(zip(days, *(transect.plain(table[name]).to_pylist() for name in names)))
    by_bytes = [[part.encode() if isinstance(part, str) else part for part in key] for key in keys]
    assert all(a < b for a, b in zip(by_bytes, by_bytes[1:])), "out of order"
    there = [table[name].to_pylist() if name in table.column_names else [None] * len(table) for name in columns]
    return dict(zip(keys, zip(*([bits(value) for value in column] for column in there))))


@pytest.mark.parametrize("world", range(WORLDS))
def test_every_version_of_many_sources_is_what_pyarrow_joins(world, tmp_path):
    world = World(tmp_path, random.Random(f"world {SEED} {world}"))
    first = copy.copy(world.all[0])
    key = ["--key", ",".join(world.key)] if world.key else []
    world.run("build", first.folder, world.store, *first.options(), *key, "--keep", 20)
    first.read()
    world.sources.append(first)
    world.assert_holds()
    for _ in range(10):
        world.step()
    # Each version that is kept, once more.
    columns = lambda sources: sorted(source.column for source in sources)
    for version, sources in world.versions.items():
        out = tmp_path / "again"
        transect.transpose(world.store, out, "--version", version, "--by", "all", "--force")
        found = rows_of(pq.read_table(out / "all.parquet"), None, ["ts_code", *world.key], columns(sources))
        assert found == joined(sources), version
