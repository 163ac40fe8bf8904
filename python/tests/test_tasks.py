"""Builds, changes and transposes by tasks, of pools of processes and of a Dask cluster of which workers are killed."""

import concurrent.futures
import multiprocessing
import os
import pathlib
import signal
import textwrap
import time

import polars as pl
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
        report = transect.tasks.run(plan, map=pool.map, out=tmp_path / "sealed")
        assert transect.transpose(store, tmp_path / "sealed").unchanged_files == 60
        with pytest.raises(transect.Refused, match="only a build"):
            planned = transect.tasks.plan_transpose(store, tmp_path / "x", staging=tmp_path / "y", parts=1)
            transect.tasks.run(planned, out=tmp_path / "x")
        files = transect.tasks.plan_transpose(store, tmp_path / "own", staging=tmp_path / "files", parts=3)
        assert transect.tasks.run(files, map=pool.map).written == 60
    assert report.published and report.stocks == 12
    assert_same(tmp_path, store)
    assert transect.tasks.run(plan).published is False and transect.tasks.run(files).unchanged_files == 60


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
    for option in ({"dry_run": True}, {"expect": "2024-01-12"}):
        with pytest.raises(transect.Refused, match="expect nothing else"):
            transect.tasks.plan_update(store, staging=tmp_path / "none", **option)
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


def test_a_source_is_added_by_tasks_as_it_is_here(tmp_path):
    source, store, local = synthetic(tmp_path), tmp_path / "own.store", tmp_path / "local.store"
    transect.build(source, store)
    (tmp_path / "other").mkdir()
    for file in source.iterdir():
        (tmp_path / "other" / f"X{file.name}").write_bytes(file.read_bytes())
    plan = transect.tasks.plan_add_source(store, tmp_path / "other", staging=tmp_path / "stopped", prefix="x_", parts=2)
    with pytest.raises(transect.Guarded, match=r"tasks\.plan_add_source\(\.\.\., allow="):
        transect.tasks.run(plan)
    given = {"name": "again", "prefix": "a_"}
    plan = transect.tasks.plan_add_source(store, source, staging=tmp_path / "staging", parts=2, bands=3, **given)
    report = transect.tasks.run(plan)
    assert report.published and report.filled == transect.add_source(local, source, **given).filled > 0
    assert transect.tasks.run(plan).published is False
    assert_same(tmp_path, store)


def days_of(folder, store):
    """Files of some dates of a store, of which a stock has other values."""
    transect.transpose(store, folder / "days", start="2000-01-01")
    files = sorted((folder / "days").glob("2*.parquet"))[20:30]
    for file in files:
        frame = pl.read_parquet(file)
        frame.with_columns(pl.col("size") + 1).write_parquet(file)
    return files


def test_files_are_appended_by_tasks_as_they_are_here(tmp_path):
    source, store, local = synthetic(tmp_path), tmp_path / "own.store", tmp_path / "local.store"
    transect.build(source, store)
    files = days_of(tmp_path, store)
    with pytest.raises(transect.Refused, match="give their paths"):
        transect.tasks.plan_append(store, pl.read_parquet(files[0]), staging=tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        transect.tasks.plan_append(store, tmp_path / "nowhere.parquet", staging=tmp_path / "none")
    plan = transect.tasks.plan_append(store, files, staging=tmp_path / "stopped", parts=2, bands=3, max_restated=0)
    with pytest.raises(transect.Guarded, match="restated"):
        transect.tasks.run(plan)
    plan = transect.tasks.plan_append(transect.open(store), files, staging=tmp_path / "staging", parts=2, bands=3)
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        report = transect.tasks.run(plan, map=pool.map)
    assert (report.version, report.restated) == (2, transect.append(local, files).restated) and report.restated > 0
    assert transect.tasks.run(plan).published is False
    assert_same(tmp_path, store)


def test_a_commit_that_is_run_again_warns_of_what_was_skipped(tmp_path):
    source, store = synthetic(tmp_path), tmp_path / "own.store"
    (source / "999999.SZ.parquet").write_bytes(b"no Parquet")
    plan = transect.tasks.plan(source, store, staging=tmp_path / "staging", parts=2, bands=2)
    for published in (True, False):
        with pytest.warns(transect.SkippedInputs, match="999999"):
            report = transect.tasks.run(plan)
        assert (report.published, [skipped.path for skipped in report.skipped]) == (published, ["999999.SZ.parquet"])


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
    assert transect.transpose(store, out, **chosen).unchanged_files == 60
    assert transect.dask.transpose(client, store, out, staging=tmp_path / "all", force=True).written == 60
    assert_same(tmp_path, store)
    assert transect.dask.update(client, store) is None
    change(source)
    for _ in range(2):
        with pytest.raises(transect.Guarded):
            transect.dask.update(client, store, parts=2, bands=2, max_restated=0)
    killed[:] = []
    report = transect.dask.update(client, store, parts=2, bands=4, progress=kill_one)
    assert killed == [("gather", 2, "tasks"), ("compare", 4, "tasks"), ("seal", 4, "tasks")]
    assert (report.version, report.restated) == (2, transect.update(tmp_path / "local.store").restated)
    killed[:] = []
    same = {"name": "again", "prefix": "a_", "join": "left"}
    report = transect.dask.add_source(client, store, source, parts=2, bands=4, progress=kill_one, **same)
    assert killed == [("gather", 2, "tasks"), ("compare", 4, "tasks"), ("seal", 4, "tasks")]
    assert (report.version, report.filled) == (3, transect.add_source(tmp_path / "local.store", source, **same).filled)
    assert_same(tmp_path, store)
    transect.transpose(store, tmp_path / "days")
    files = sorted((tmp_path / "days").glob("2*.parquet"))[:2]
    for file in files:
        frame = pl.read_parquet(file)
        frame.with_columns(pl.col("size") + 1).write_parquet(file)
    others = [name for name in frame.columns if name.startswith("a_")]
    killed[:], same = [], {"source": "features", "exclude": others}
    # There are no more parts than files.
    report = transect.dask.append(client, store, files, parts=6, bands=4, progress=kill_one, **same)
    assert killed == [("gather", 2, "tasks"), ("compare", 4, "tasks"), ("seal", 4, "tasks")]
    assert (report.version, report.restated) == (4, transect.append(tmp_path / "local.store", files, **same).restated)
    assert_same(tmp_path, store)


def test_the_lines_of_the_readme_build_a_store_and_bring_it_up_to_date(tmp_path, client, monkeypatch):
    readme = (pathlib.Path(__file__).parents[2] / "README.md").read_text()
    start = readme.index("    import distributed, dask_jobqueue\n")
    lines = [line[4:] for line in readme[start:].split("\n\nA worker runs as many")[0].splitlines()]
    begin = next(n for n, line in enumerate(lines) if line.startswith("with distributed.Client"))
    code = "import transect.dask\n" + textwrap.dedent("\n".join(lines[begin + 1 :])).replace("/shared", str(tmp_path))
    assert code.count("transect.dask.") == 5
    transect.synth(tmp_path / "features", stocks=12, dates=60)
    transect.build(tmp_path / "features", tmp_path / "other.store")
    (tmp_path / "factors").mkdir()
    transect.synth(tmp_path / "factors" / "value", stocks=12, dates=60)
    transect.transpose(tmp_path / "other.store", tmp_path / "days")
    frame = pl.read_parquet(min((tmp_path / "days").glob("2*.parquet")))
    # Of the day that its name says.
    frame = frame.drop([name for name in frame.columns if "date" in name])
    frame.write_parquet(tmp_path / "days" / "20240103.parquet")
    # So small a panel needs fewer tasks.
    for function in (transect.dask.update, transect.dask.add_source, transect.dask.append):
        for count in ("parts", "bands"):
            monkeypatch.setitem(function.__kwdefaults__, count, 2)
    names = {"client": client}
    exec(code.replace("64", "3"), names)
    store = transect.open(tmp_path / "panel.store")
    assert [source.name for source in store.sources] == ["features", "value"]
    # What they leave is what the same functions make here.
    local = tmp_path / "local.store"
    transect.build(tmp_path / "features", local)
    transect.add_source(local, tmp_path / "factors" / "value", prefix="{source}_")
    appended = transect.append(local, [tmp_path / "days" / "20240103.parquet"], source="features")
    assert appended.published and appended.added > 0
    assert transect.transpose(store, tmp_path / "by_date").written == 0
    files = {path.name: path.read_bytes() for path in (tmp_path / "by_date").glob("2*.parquet")}
    assert files == written(local, tmp_path / "local") and "20240103.parquet" in files
    # The next night there are two sources.
    change(tmp_path / "features")
    [update] = [line for line in code.splitlines() if line.startswith("transect.dask.update(")]
    with pytest.raises(transect.Refused, match="plan the update of one of them"):
        exec(update, names)
    before = store.version
    exec(update.replace("memory=", 'sources=["features"], memory='), names)
    assert store.reload().version == before + 1 and store.verify()


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
