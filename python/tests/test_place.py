"""A store that is open is the same one from any working directory, and no other that takes its place is changed."""

import pathlib
import pickle
import shutil

import numpy as np
import polars as pl
import pytest
import xarray as xr

import transect

TONIGHT = {"ts_code": ["A"], "trade_date": ["20240103"]}


def made(folder, close):
    """A store of one row that lies in `folder` and is opened there by its name alone."""
    folder.mkdir()
    frame = pl.DataFrame({"ts_code": ["A"], "trade_date": ["20240102"], "close": [close], "flag": [True]})
    transect.write(folder / "panel.store", frame, keep=9)
    return folder


@pytest.fixture
def moved(tmp_path, monkeypatch):
    """A store that was opened by a relative path, in another directory, where another store has that path."""
    one, other = made(tmp_path / "one", 1.0), made(tmp_path / "other", 2.0)
    monkeypatch.chdir(one)
    pl.DataFrame({"date": ["20240102"], "code": ["A"]}).write_parquet("members.parquet")
    store = transect.open("panel.store")
    scan = store.scan(universe="members.parquet")
    monkeypatch.chdir(other)
    return store, scan


READS = {
    "section": lambda store: np.asarray(store.section(20240102)["close"]),
    "series": lambda store: np.asarray(store.series("A")["close"]),
    "scan": lambda store: store.scan().to_polars()["close"],
    "matrix": lambda store: store.matrix("close").values[0],
    "lazy": lambda store: store.lazy().collect()["close"],
    "xarray": lambda store: xr.open_dataset(store, engine="transect")["close"].values[0],
    "xarray, a version": lambda store: xr.open_dataset(store, engine="transect", version=1)["close"].values[0],
    "transpose": lambda store: transect.transpose(store, "out") and pl.read_parquet("out/20240102.parquet")["close"],
}


@pytest.mark.parametrize("door", READS)
def test_a_store_is_read_where_it_was_opened(moved, door):
    store, _ = moved
    assert list(READS[door](store)) == [1.0] and store.path == "panel.store"


def test_what_a_store_says_of_itself_is_its_own_in_another_directory(moved):
    store, scan = moved
    assert scan["close"].null_count == 0 and scan.to_polars(codes="categorical").height == 1
    assert store.verify(all_versions=True) and store.kept_versions == [1] and store.info().id == store.id
    assert store.coverage(by=None).rows == 1
    assert transect.append(store, pl.DataFrame({**TONIGHT, "close": [9.0], "flag": [None]})).version == 2
    assert transect.open("panel.store").version == 1
    live = store.reload()
    assert (live.id, live.version, live.path) == (store.id, 2, "panel.store") and len(live.diff(1).to_polars()) == 1


CHANGES = {
    "append": lambda store: transect.append(store, pl.DataFrame({**TONIGHT, "close": [9.0], "flag": [None]})),
    "update": transect.update,
    "add_source": lambda store: transect.add_source(store, pl.DataFrame({**TONIGHT, "x": [9.0]}), name="x"),
    "set_source": lambda store: transect.set_source(store, "frame", exclude=["flag"]),
    "rename_source": lambda store: transect.rename_source(store, "frame", "y"),
    "restore": lambda store: transect.restore(store, 1),
    "gc": lambda store: transect.gc(store, keep=1),
}


@pytest.fixture
def replaced(tmp_path):
    """A store that was opened, in its first and in its second version, and the path at which another lies by now."""
    path = made(tmp_path / "one", 1.0) / "panel.store"
    store = transect.open(path)
    transect.append(store, pl.DataFrame({**TONIGHT, "close": [8.0], "flag": [None]}))
    second = store.reload()
    shutil.rmtree(path)
    shutil.move(made(tmp_path / "other", 2.0) / "panel.store", path)
    return store, second, path


def test_a_pickled_store_is_no_other_that_lies_there_by_now(replaced):
    for store in replaced[:2]:
        for copied in (pickle.dumps(store), pickle.dumps(xr.open_dataset(store, engine="transect"))):
            with pytest.raises(transect.Refused) as caught:
                pickle.loads(copied)
            why = "is another store by now than the one that was pickled; open it again"
            assert str(caught.value) == f"{replaced[2]} {why}"


def test_a_pickled_store_has_its_own_version(tmp_path):
    store = transect.open(made(tmp_path / "one", 1.0) / "panel.store")
    transect.append(store, pl.DataFrame({**TONIGHT, "close": [8.0], "flag": [None]}))
    for one in (store, store.reload()):
        other = pickle.loads(pickle.dumps(one))
        assert (other.version, other.id, len(other)) == (one.version, store.id, one.version)


@pytest.mark.parametrize("change", CHANGES)
def test_no_store_is_changed_but_the_one_that_was_opened(replaced, change):
    store, _, path = replaced
    live = transect.open(path)
    why = "is another store by now than the one that was opened; open it again$"
    with pytest.raises(transect.Refused, match=why) as caught:
        CHANGES[change](store)
    assert str(caught.value).startswith(str(path))
    assert transect.open(path).version == live.version and transect.open(path).kept_versions == live.kept_versions


def test_a_store_is_opened_by_any_kind_of_path(tmp_path, monkeypatch):
    monkeypatch.chdir(made(tmp_path / "one", 1.0))
    for path in ("panel.store", b"panel.store", pathlib.Path("panel.store"), tmp_path / "one" / "panel.store"):
        assert transect.open(path).section(20240102).codes == ["A"]
    frame = pl.DataFrame({**TONIGHT, "close": [9.0], "flag": [None]})
    frame.write_parquet("20240103.parquet")
    assert transect.write(b"other.store", frame).rows == transect.append(b"panel.store", b"20240103.parquet").added == 1
    assert transect.update(b"other.store").version == 1 and len(transect.open("other.store").diff(b"other.store")) == 0
    assert len(transect.open("panel.store").scan(universe=b"20240103.parquet")) == 1
    with pytest.raises(TypeError, match="expected str, bytes or os.PathLike object, not int"):
        transect.open(3)
