"""A difference is what DuckDB makes of two frames."""

import random

import duckdb
import numpy as np
import polars as pl
import pytest

import transect

COLUMNS = ["price", "count", "name"]


def panel(world, share):
    """Some rows of six stocks on five days, with numbers that repeat."""
    days = [f"2024010{day}" for day in range(2, 7)]
    rows = [
        {
            "date": day, "code": code, "price": world.choice([None, 0.0, 1.5, -2.0, 100.0]),
            "count": world.choice([None, 0, 3, 1000]), "name": world.choice(["a", "b", None]),
        }
        for day in days for code in "ABCDEF" if world.random() < share
    ]
    schema = {"date": pl.String, "code": pl.String, "price": pl.Float64, "count": pl.Int64, "name": pl.String}
    return pl.DataFrame(rows, schema=schema)


def restated(before, after):
    """A row for each value that differs."""
    pairs = before.join(after, on=["date", "code"], suffix="_now")  # noqa: F841 - DuckDB finds it by its name
    parts = [
        f"select date, code, '{name}' as name, {name}::varchar as old, {name}_now::varchar as new, {size(name)} as size "
        f"from pairs where {name} is distinct from {name}_now"
        for name in COLUMNS
    ]
    return duckdb.sql(" union all ".join(parts)).pl()


def size(name):
    if name == "name":
        return "0.0"
    small, moved = f"least(abs({name}), abs({name}_now))", f"abs({name}_now - {name})"
    return f"coalesce(case when {small} = 0 then ({moved} > 0)::int else {moved} / {small} end, 0)::double"


@pytest.mark.parametrize("seed", range(8))
def test_a_difference_is_what_duckdb_makes_of_two_frames(tmp_path, seed):
    world = random.Random(seed)
    before, after = panel(world, 0.7), panel(world, 0.7)
    transect.write(tmp_path / "s", before, name="panel")
    transect.add_source(tmp_path / "s", after, name="panel", allow=["pruned-rows", "turned-null", "few-codes"])
    live = transect.open(tmp_path / "s")
    values = restated(before, after)
    keys = ["date", "code"]
    touched = values.select(keys).unique()
    added, removed = after.join(before, on=keys, how="anti"), before.join(after, on=keys, how="anti")

    def counted(by):
        """Rows that were added, restated and removed, by date or stock."""
        parts = {"added": added, "restated": touched, "removed": removed}
        counts = [frame.group_by(by).len(name).rename({by: "of"}) for name, frame in parts.items()]
        found = counts[0].join(counts[1], on="of", how="full", coalesce=True)
        found = found.join(counts[2], on="of", how="full", coalesce=True).fill_null(0).sort("of")
        return found.select("of", "added", "restated", "removed").rows()

    dates = live.diff().to_polars().with_columns(pl.col("date").dt.strftime("%Y%m%d"))
    assert dates.select("date", "added", "restated", "removed").rows() == counted("date")
    stocks = live.diff(by="stock").to_polars()
    assert stocks.select("stock", "added", "restated", "removed").rows() == counted("code")
    columns = dict(live.diff(by="column").to_polars().select("column", "restated").rows())
    assert columns == dict(values.group_by("name").len().rows())
    rows = live.diff(by="row").to_polars().filter(change="restated")
    assert rows.height == values.height
    report = live.diff(by=None)
    sizes = values.filter(pl.col("size") > 0)["size"].sort(descending=True).head(20).to_list()
    assert [moved(move) for move in report.moves] == pytest.approx(sizes)
    assert (report.added, report.restated, report.removed) == (added.height, touched.height, removed.height)

    chosen = live.diff(by="row", stocks=["A", "C"], columns=["price"], start="2024-01-03", end=20240105).to_polars()
    wanted = pl.col("code").is_in(["A", "C"]) & pl.col("date").is_between(pl.lit("20240103"), pl.lit("20240105"))
    some = values.filter(wanted, name="price").height
    assert chosen.filter(change="restated").height == some
    assert chosen.filter(change="added").height == added.filter(wanted).height


def moved(move):
    old, new = float(move.old), float(move.new)
    small = min(abs(old), abs(new))
    assert move.relative == (None if old == 0 else (new - old) / abs(old))
    return abs(new - old) / small if small else 1.0


def test_what_is_older_is_a_store_its_path_or_a_version(own):
    transect.append(own, transect.open(own).section(20240102).to_polars().with_columns(lots=9))
    transect.append(own, transect.open(own).section(20240103).to_polars().with_columns(lots=9))
    store, first = transect.open(own), transect.open(own, version=1)
    for older in (1, np.int64(1), first, np.array(1)):
        assert store.diff(older).to_polars()["restated"].to_list() == [3, 2], older
    for older in (None, 2, transect.open(own, version=2)):
        assert store.diff(older).to_polars()["restated"].to_list() == [2], older
    for older in (own, str(own)):
        assert store.diff(older).to_polars().height == 0
    for older in (True, 1.0, [1], np.bool_(True)):
        with pytest.raises(TypeError, match="^older is a store, its path or the number of a version, not "):
            store.diff(older)
    for older in (-1, 7, 2**70):
        with pytest.raises(transect.NotFound, match=f"^version {older} of .* not found") as caught:
            store.diff(older)
        assert caught.value.kind == "version"
    for older in ("1", b"1"):
        with pytest.raises(transect.NotFound, match="1 is not a store: nothing of that name is there"):
            store.diff(older)
    for version in (-1, 2**70):
        with pytest.raises(transect.NotFound, match=f"^version {version} of .* not found"):
            transect.open(own, version=version)
        with pytest.raises(transect.NotFound, match=f"^version {version} of .* not found"):
            transect.restore(own, version)


def test_what_a_version_changed_is_counted_also_when_it_is_kept_no_longer(tmp_path):
    world, path = random.Random(5), tmp_path / "s"
    transect.write(path, panel(world, 0.8), name="panel")
    counted = {}
    for _ in range(3):
        before = transect.open(path)
        allow = ["pruned-rows", "turned-null", "few-codes"]
        transect.add_source(path, panel(world, 0.8), name="panel", keep=1, allow=allow)
        now = transect.open(path)
        counted[now.version] = now.diff(before, by=None)
    assert min(now.info().kept_versions) > min(counted)
    for version, of in counted.items():
        changes = now.changes(version)
        assert changes.added + changes.restated + changes.filled + changes.removed > 0
        for field in ("older", "newer", "added", "restated", "filled", "removed", "dates", "stocks"):
            assert changes[field] == of[field], field
    assert now.changes()["newer"] == now.version and now.changes(1) is None
    with pytest.raises(transect.NotFound, match="version 9 "):
        now.changes(9)
