"""Every exception is met where it should be, with what a program needs of it."""

import errno
import inspect
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import transect
from transect import _errors

FRAME = pd.DataFrame({"ts_code": ["A"], "trade_date": ["20240108"], "close": [1.0]})


def kept(folder):
    """All files of a store but its lock, which says who wrote last."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "LOCK"}


# What changes a store, and so waits for its lock.
CHANGES = {
    "update": lambda store, source: transect.update(store),
    "build": lambda store, source: transect.build(source, store, force=True),
    "write": lambda store, source: transect.write(store, FRAME, mode="overwrite"),
    "append": lambda store, source: transect.append(store, transect.open(store).section(20240102)),
    "add_source": lambda store, source: transect.add_source(store, FRAME.rename(columns={"close": "x"}), name="x"),
    "set_source": lambda store, source: transect.set_source(store, "features", exclude=["odd"]),
    "rename_source": lambda store, source: transect.rename_source(store, "features", "other"),
    "restore": lambda store, source: transect.restore(store, 1),
    "gc": lambda store, source: transect.gc(store, keep=1),
}


@pytest.fixture(scope="module")
def locked(source, tmp_path_factory):
    """A store to which another process writes, and the number of that process."""
    store = tmp_path_factory.mktemp("locked") / "s"
    transect.build(source, store)
    code = """
import sys
import pyarrow as pa
import transect
def frames():
    yield pa.table({"ts_code": ["A"], "trade_date": ["20240108"], "x": [1.0]})
    print("in", flush=True)
    sys.stdin.read()
transect.add_source(sys.argv[1], frames(), name="x")
"""
    run = subprocess.Popen([sys.executable, "-c", code, store], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert run.stdout.readline() == "in\n"
    yield store, run
    run.kill()
    run.wait()


@pytest.mark.parametrize("change", CHANGES)
def test_a_store_to_which_somebody_writes_is_locked(locked, source, change):
    store, run = locked
    before = kept(store)
    with pytest.raises(transect.Locked) as caught:
        CHANGES[change](store, source)
    assert (caught.value.holder, caught.value.path) == (run.pid, str(store))
    assert 'wait="10m"' in str(caught.value) and kept(store) == before
    assert len(transect.open(store).section(20240102)) == 3


def test_damage_says_which_file_and_where(own):
    (segment,) = (own / "segment").glob("*.arrow")
    whole = segment.read_bytes()
    segment.write_bytes(whole[:64] + bytes(len(whole) - 128) + whole[-64:])
    for date in ("20231229", "20240102", "20240103", "20240104"):
        with pytest.raises(transect.Corrupt) as caught:
            transect.open(own).section(date).to_arrow()
        path, place, told = caught.value.path, caught.value.place, str(caught.value)
        assert path == str(segment) and place and place in told and path in told
    catalogs = list((own / "catalog").iterdir())
    for catalog in catalogs:
        catalog.write_bytes(catalog.read_bytes()[:40])
    with pytest.raises(transect.Corrupt) as caught:
        transect.open(own)
    assert caught.value.path in map(str, catalogs) and caught.value.place in str(caught.value)


def test_a_store_of_another_format_says_so(own):
    catalogs = sorted(map(str, (own / "catalog").iterdir()))
    for catalog in map(pathlib.Path, catalogs):
        found = bytearray(catalog.read_bytes())
        found[8] = 99
        catalog.write_bytes(found)
    for call in (transect.open, transect.update):
        with pytest.raises(transect.FormatVersion, match="has format version 99, this transect reads version") as caught:
            call(own)
        assert caught.value.path in catalogs


def test_a_build_that_was_killed_is_unfinished_until_another_one(source, tmp_path):
    code = """
import os, signal, sys, transect
transect.build(sys.argv[1], sys.argv[2], progress=lambda *told: os.kill(os.getpid(), signal.SIGKILL))
"""
    store = tmp_path / "s"
    run = subprocess.run([sys.executable, "-c", code, source, store])
    assert run.returncode == -signal.SIGKILL
    if (store / "CURRENT").exists():
        pytest.skip("the build was done before it told of itself")
    for call in (transect.open, transect.update):
        with pytest.raises(transect.Unfinished) as caught:
            call(store)
        assert caught.value.path == str(store)
    assert transect.build(source, store).version == 1


def test_a_callback_may_cancel_and_nothing_changes(own):
    before = kept(own)

    def stop(*told):
        raise transect.Cancelled("enough")

    with pytest.raises(transect.Cancelled, match="^enough$"):
        transect.update(own, reread=True, progress=stop)
    assert kept(own) == before
    made = _errors.made("interrupted", "interrupted", {})
    assert type(made) is transect.Cancelled and isinstance(made, transect.TransectError)


@pytest.mark.parametrize(
    ("call", "number", "name"),
    [
        (lambda folder: transect.report(folder / "s", folder / "no" / "r.html"), errno.ENOENT, "no"),
        (lambda folder: transect.append(folder / "s", folder / "no.parquet"), errno.ENOENT, "no.parquet"),
        (lambda folder: transect.build(folder / "no", folder / "t"), errno.ENOENT, "no"),
        (lambda folder: transect.transpose(folder / "s", folder / "file"), errno.EEXIST, "file"),
        (lambda folder: transect.open("x" * 300), errno.ENAMETOOLONG, "x" * 300),
    ],
    ids=["report", "append", "build", "transpose", "open"],
)
def test_refusals_of_the_system_are_oserrors_with_number_and_file(own, call, number, name):
    shutil.copytree(own, own.parent / "s")
    (own.parent / "file").write_text("")
    with pytest.raises(OSError) as caught:
        call(own.parent)
    assert not isinstance(caught.value, transect.TransectError)
    assert caught.value.errno == number and name in os.fspath(caught.value.filename)


def test_what_is_not_there_says_of_what_kind_it_is(own, tmp_path):
    store = transect.open(own)
    for kind, call, nearest in (
        ("date", lambda: store.section(20240101), "20231229"),
        ("stock", lambda: store.series("600000.SZ"), "600000.SH"),
        ("column", lambda: store.matrix("clsoe"), "close"),
        ("version", lambda: transect.open(own, version=7), "version 1"),
        ("source", lambda: transect.drop_source(own, "feature"), "features"),
        ("store", lambda: transect.open(tmp_path), ""),
    ):
        with pytest.raises(transect.NotFound) as caught:
            call()
        assert caught.value.kind == kind and nearest in caught.value.nearest, kind
        assert isinstance(caught.value, LookupError) and nearest in str(caught.value)


def test_kinds_of_exceptions_are_those_of_python_too():
    kinds = {name: kind for name, kind in vars(transect).items() if inspect.isclass(kind) and issubclass(kind, Exception)}
    ours = {name for name, kind in kinds.items() if issubclass(kind, transect.TransectError)}
    assert ours == {
        "TransectError", "NotFound", "Refused", "Guarded", "Corrupt", "Locked", "FormatVersion", "Unfinished", "Cancelled",
    }
    assert issubclass(transect.Refused, ValueError) and issubclass(transect.Guarded, transect.Refused)
    assert set(kinds) - ours == {"SkippedInputs"} and issubclass(transect.SkippedInputs, UserWarning)


def test_refusals_guards_and_warnings_carry_what_they_tell(source, own, tmp_path):
    with pytest.raises(transect.Refused) as caught:
        transect.build(source, own)
    assert isinstance(caught.value, ValueError) and not isinstance(caught.value, transect.Guarded)
    folder = tmp_path / "src"
    shutil.copytree(source, folder)
    for name in ("X", "Y"):
        pq.write_table(pa.table({"x": [1]}), folder / f"{name}.parquet")
    with pytest.raises(transect.Guarded) as caught:
        transect.build(folder, tmp_path / "s")
    assert caught.value.words == ["skipped-files"] and isinstance(caught.value.report, transect.BuildReport)
    assert not caught.value.report.published and not (tmp_path / "s").exists()
    with pytest.warns(transect.SkippedInputs) as warned:
        transect.build(folder, tmp_path / "s", allow=caught.value.words)
    assert warned[0].message.report.skipped[0].path == "X.parquet" and warned[0].filename == __file__
