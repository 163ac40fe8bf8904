"""Builds, updates and transposes by tasks, of pools of processes and of a Dask cluster of which workers are killed."""

import concurrent.futures
import multiprocessing
import os
import signal
import time

import pytest

import transect
import transect.dask
import transect.tasks


def synthetic(folder):
    transect.synth(folder / "features", stocks=12, dates=60)
    transect.build(folder / "features", folder / "local.store")
    return folder / "features"


def written(store, out):
    """The files of all dates of a store, by name."""
    transect.transpose(store, out)
    return {path.name: path.read_bytes() for path in out.glob("2*.parquet")}


def assert_same(folder, store):
    assert transect.open(store).verify()
    local, own = written(folder / "local.store", folder / "local"), written(store, folder / "own")
    assert len(local) == 60 and local == own


def test_a_pool_of_processes_makes_the_store_that_a_build_makes(tmp_path):
    source, store = synthetic(tmp_path), tmp_path / "own.store"
    plan = transect.tasks.plan(source, store, staging=tmp_path / "staging", parts=5, bands=3)
    assert '"was_done":false' in transect.tasks.do(("gather", plan, 4))
    assert not store.exists()
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        report = transect.tasks.run(plan, map=pool.map)
        files = transect.tasks.plan_transpose(store, tmp_path / "own", staging=tmp_path / "files", parts=3)
        assert transect.tasks.run(files, map=pool.map).written == 60
    assert report.published and report.stocks == 12
    assert_same(tmp_path, store)
    assert transect.tasks.run(plan).published is False and transect.tasks.run(files).unchanged == 60


def change(source):
    """Makes files of a source others than they were, and one more."""
    first, second, *_ = sorted(source.iterdir())
    (source / "999999.SZ.parquet").write_bytes(second.read_bytes())
    first.write_bytes(second.read_bytes())


def test_a_pool_of_processes_updates_a_store_as_an_update_does(tmp_path):
    source, store = synthetic(tmp_path), tmp_path / "own.store"
    transect.build(source, store)
    assert transect.tasks.plan_update(store, staging=tmp_path / "none") is None
    change(source)
    with pytest.raises(transect.Refused, match="expect nothing else"):
        transect.tasks.plan_update(store, staging=tmp_path / "none", dry_run=True)
    plan = transect.tasks.plan_update(store, staging=tmp_path / "staging", parts=2, bands=3, max_restated=0)
    with pytest.raises(transect.Guarded, match="restated"):
        transect.tasks.run(plan)
    plan = transect.tasks.plan_update(transect.open(store), staging=tmp_path / "more", parts=2, bands=3)
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        report = transect.tasks.run(plan, map=pool.map)
    local = transect.update(tmp_path / "local.store")
    assert (report.version, report.added, report.restated) == (2, local.added, local.restated) and local.restated > 0
    assert_same(tmp_path, store)
    assert transect.tasks.run(plan).published is False


def test_an_error_has_the_words_of_the_task_and_a_guard_stops_before_anything_is_sealed(tmp_path):
    source, store = synthetic(tmp_path), tmp_path / "own.store"
    with pytest.raises(transect.Refused, match="512"):
        transect.tasks.plan(source, store, staging=tmp_path / "staging", parts=513)
    for file in sorted(source.iterdir())[:10]:
        file.write_bytes(b"no Parquet")
    plan = transect.tasks.plan(source, store, staging=tmp_path / "staging", parts=2, bands=2)
    with pytest.raises(transect.TransectError, match="part-0000: gather 0 is not done yet"):
        transect.tasks.do(("assemble", plan, None))
    with pytest.raises(transect.Guarded) as caught:
        transect.tasks.run(plan)
    assert caught.value.words == ["skipped-files"]
    assert not (tmp_path / "staging" / "band-0000").exists() and not store.exists()


@pytest.fixture
def client():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_dask_makes_the_store_that_a_build_makes_though_workers_are_killed(tmp_path, client):
    source, store = synthetic(tmp_path), tmp_path / "own.store"
    killed = []

    def kill_one(stage, done, total, unit):
        if done == 1 and total > 1:
            killed.append((stage, total, unit))
            os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)

    report = transect.dask.build(client, source, store, parts=6, bands=4, progress=kill_one)
    assert killed == [("gather", 6, "tasks"), ("seal", 4, "tasks")]
    assert report.published and report.rows == transect.open(tmp_path / "local.store").info().rows
    out, killed[:] = tmp_path / "own", []
    chosen = {"columns": ["size"], "start": "2000-01-01"}
    report = transect.dask.transpose(client, store, out, parts=6, progress=kill_one, **chosen)
    assert killed == [("write", 6, "tasks")] and report.written == 60
    assert transect.transpose(store, out, **chosen).unchanged == 60
    assert transect.dask.transpose(client, store, out, staging=tmp_path / "all", force=True).written == 60
    assert_same(tmp_path, store)
    assert transect.dask.update(client, store) is None
    change(source)
    killed[:] = []
    report = transect.dask.update(client, store, parts=2, bands=4, progress=kill_one)
    assert killed == [("gather", 2, "tasks"), ("compare", 4, "tasks"), ("seal", 4, "tasks")]
    assert (report.version, report.restated) == (2, transect.update(tmp_path / "local.store").restated)
    assert_same(tmp_path, store)


def test_dask_gives_up_what_is_cancelled_and_goes_on_from_there(tmp_path, client):
    source, store = synthetic(tmp_path), tmp_path / "own.store"
    plan = transect.tasks.plan(source, store, staging=tmp_path / "staging", parts=400, bands=2)

    class Enough(Exception):
        pass

    def stop(stage, done, total, unit):
        if stage == "gather":
            raise Enough

    with pytest.raises(Enough):
        transect.dask.run(client, plan, progress=stop)
    # What runs comes to its end, and harms nobody; what waited is not begun.
    while any(client.processing().values()):
        time.sleep(0.01)
    done = len(list((tmp_path / "staging").glob("part-????")))
    assert 0 < done < 400 and not store.exists()
    assert transect.dask.run(client, plan).published
    assert_same(tmp_path, store)


def test_dask_raises_what_a_task_says_and_goes_on_once_that_is_mended(tmp_path, client):
    source, store = synthetic(tmp_path), tmp_path / "own.store"
    plan = transect.tasks.plan(source, store, staging=tmp_path / "staging", parts=2, bands=2)
    transect.tasks.do(("gather", plan, 1))
    receipt = tmp_path / "staging" / "part-0001"
    whole = receipt.read_bytes()
    receipt.write_bytes(whole[:-1])
    with pytest.raises(transect.Corrupt) as caught:
        transect.dask.run(client, plan)
    assert caught.value.path == str(receipt) and not store.exists()
    with pytest.raises(transect.Refused, match="has a plan already"):
        transect.dask.build(client, source, store, staging=tmp_path / "staging")
    receipt.write_bytes(whole)
    assert transect.dask.run(client, plan).published
    assert_same(tmp_path, store)
