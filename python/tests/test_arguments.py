"""What an argument cannot be is refused in words that name it, before anything is read or written."""

import concurrent.futures
import datetime
import re
import threading
import time

import numpy as np
import pandas as pd
import pytest

import transect
import transect.tasks

FRAME = pd.DataFrame({"code": ["A"], "date": ["20240102"], "x": [1.0]})
# For each kind, a call with the store and another path, and what is said.
WRONG = {
    "types": (lambda s, p: s.section(20240102).to_pandas(types="zz"), "types is 'numpy' or 'pyarrow', not 'zz'"),
    "codes of pandas": (lambda s, p: s.scan().to_pandas(codes="zz"), "codes is 'text' or 'categorical', not 'zz'"),
    "codes of Polars": (lambda s, p: s.series("A").to_polars(codes="zz"), "codes is 'text' or 'categorical', not 'zz'"),
    "dates, a text": (lambda s, p: s.scan(dates="20240102"), "dates is a list of dates; write ['20240102']"),
    "dates, a number": (lambda s, p: s.scan(dates=20240102), "dates is a list of dates; write [20240102]"),
    "dates, a date": (
        lambda s, p: transect.transpose(s, p, dates=datetime.date(2024, 1, 2)),
        "dates is a list of dates; write [datetime.date(2024, 1, 2)]",
    ),
    "nothing to append": (lambda s, p: transect.append(s, None), "NoneType has no rows; give a frame of "),
    "no file to append": (lambda s, p: transect.append(s, []), "there is no frame to take rows from"),
    "nothing to add": (lambda s, p: transect.add_source(s, None, name="n"), "NoneType has no rows; give a frame of "),
    "code": (lambda s, p: s.series(1), "code is a text, not 1"),
    "code, a list": (lambda s, p: transect.write(p, FRAME, code=["code"]), "code is a text, not ['code']"),
    "date": (lambda s, p: transect.write(p, FRAME, date=5), "date is a list of texts, not 5"),
    "name": (lambda s, p: transect.write(p, FRAME, name=5), "name is a text, not 5"),
    "zone": (lambda s, p: transect.write(p, FRAME, zone=datetime.UTC), "zone is a text, not datetime."),
    "prefix": (lambda s, p: transect.add_source(s, FRAME, name="n", prefix=5), "prefix is a text, not 5"),
    "prefix set": (lambda s, p: transect.set_source(s, "frame", prefix=5), "prefix is a text, not 5"),
    "join": (lambda s, p: transect.add_source(s, FRAME, name="n", join=5), "join is a text, not 5"),
    "io": (lambda s, p: transect.update(s, io=5), "io is a text, not 5"),
    "exclude": (lambda s, p: transect.write(p, FRAME, exclude=[5]), "exclude is a list of texts, not [5]"),
    "exclude set": (lambda s, p: transect.set_source(s, "frame", exclude=[5]), "exclude is a list of texts, not [5]"),
    "exclude added": (lambda s, p: transect.set_source(s, "frame", add={"exclude": 5}), "exclude is a list of texts, "),
    "add": (lambda s, p: transect.set_source(s, "frame", add=["x"]), 'add is a dict, as {"exclude": ["memo"]}, not '),
    "remove": (lambda s, p: transect.set_source(s, "frame", remove="x"), "remove is a dict, as "),
    "rename removed": (lambda s, p: transect.set_source(s, "frame", remove={"rename": [5]}), "rename is a list of texts, "),
    "allow": (lambda s, p: transect.append(s, FRAME, allow=[5]), "allow is a list of texts, not [5]"),
    "columns": (lambda s, p: transect.write(p, FRAME, columns=[5]), "columns is a list of texts, not [5]"),
    "columns of a scan": (lambda s, p: s.scan(columns=[5]), "columns is a list of texts, not [5]"),
    "columns, bytes": (lambda s, p: s.section(20240102, b"x"), "columns is a list of texts, not b'x'"),
    "stocks of a scan": (lambda s, p: s.scan(stocks=5), "stocks is a list of texts, not 5"),
    "key, a dict": (lambda s, p: transect.write(p, FRAME, key={"x": "y"}), "key is a list of texts, not {'x': 'y'}"),
    "column": (lambda s, p: s.matrix(["x"]), "column is a text, not ['x']"),
    "at": (lambda s, p: s.matrix("x", at="x"), 'at is a dict, as {"time": "14:55:00"}, not \'x\''),
    "at of files": (lambda s, p: transect.transpose(s, p, at=["x"]), 'at is a dict, as {"time": "14:55:00"}, '),
    "calendar": (lambda s, p: transect.build(p, p, calendar=5), "calendar is a path, not 5"),
    "output": (lambda s, p: s.verify(output=5), "output is a path, not 5"),
    "all_versions": (lambda s, p: s.verify(all_versions="no"), "all_versions is True or False, not 'no'"),
    "index": (lambda s, p: s.section(20240102).to_pandas(index="no"), "index is True or False, not 'no'"),
    "threads of a check": (lambda s, p: s.verify(threads="2"), "threads is a number, not '2'"),
    "threads of a check, below 0": (lambda s, p: s.verify(threads=-1), "threads is a number from 0, not -1"),
    "wait": (lambda s, p: transect.append(s, FRAME, wait=2.5), "wait is a timedelta, a text or a number of seconds, "),
    "wait, true": (lambda s, p: transect.append(s, FRAME, wait=True), "wait is a timedelta, a text or a number of "),
    "wait, words": (lambda s, p: transect.append(s, FRAME, wait="long"), 'wait: "long" is no duration'),
    "wait, below 0": (lambda s, p: transect.gc(s, wait=-5), "wait is a number from 0, not -5"),
    "keep_for": (
        lambda s, p: transect.append(s, FRAME, keep_for=datetime.timedelta(-3)),
        "keep_for is a time from 0, not datetime.timedelta(days=-3)",
    ),
    "older_than": (lambda s, p: transect.gc(s, older_than=1e9), "older_than is a timedelta, a text or a number of "),
    "other": (lambda s, p: transect.rename_source(s, "frame", 5), "other is a text, not 5"),
    "preset": (lambda s, p: transect.synth(p, preset=5), "preset is a text, not 5"),
    "parts": (lambda s, p: transect.tasks.plan(p, p, staging=p, parts="4"), "parts is a number, not '4'"),
    "bands": (lambda s, p: transect.tasks.plan_update(s, staging=p, bands=-1), "bands is a number from 0, not -1"),
    "no option of a plan": (
        lambda s, p: transect.tasks.plan(p, p, staging=p, thread=2),
        "tasks of transect.build got an unexpected keyword argument 'thread'",
    ),
    "no option of a plan, but of a build": (
        lambda s, p: transect.tasks.plan(p, p, staging=p, force=True),
        "tasks of transect.build got an unexpected keyword argument 'force'",
    ),
    "key of a plan": (
        lambda s, p: transect.tasks.plan_add_source(s, p, staging=p, key=["x"]),
        'key is a dict, as {"time": "bar_time"}, not [\'x\']',
    ),
    "casts": (lambda s, p: transect.write(p, FRAME, casts="x=int8"), "casts is a dict, as {\"volume\": \"float64\"}, not 'x=int8'"),
    "casts set": (lambda s, p: transect.set_source(s, "frame", add={"casts": "x"}), "casts is a dict, as "),
    "casts, a type": (lambda s, p: transect.write(p, FRAME, casts={"x": int}), "casts is a dict, as "),
    "rename, a number": (lambda s, p: transect.add_source(s, FRAME, name="n", rename={"x": 5}), "rename is a dict, "),
    "rename": (lambda s, p: transect.add_source(s, FRAME, name="n", rename=["x"]), "rename is a dict, as "),
    "key": (lambda s, p: transect.add_source(s, FRAME, name="n", key="time"), "key is a dict, as "),
    "stocks": (lambda s, p: transect.synth(p, stocks=-1), "stocks is a number from 0, not -1"),
    "seed": (lambda s, p: transect.synth(p, seed=1.5), "seed is a number, not 1.5"),
    "threads": (lambda s, p: transect.write(p, FRAME, threads="2"), "threads is a number, not '2'"),
    "keep": (lambda s, p: transect.append(s, FRAME, keep=-1), "keep is a number from 0, not -1"),
    "keep, true": (lambda s, p: transect.gc(s, keep=True), "keep is a number, not True"),
    "dry_run": (lambda s, p: transect.append(s, FRAME, dry_run="no"), "dry_run is True or False, not 'no'"),
    "replace": (lambda s, p: transect.append(s, FRAME, replace=2), "replace is True or False, not 2"),
    "force": (lambda s, p: transect.report(s, p, force="yes"), "force is True or False, not 'yes'"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_an_argument_cannot_be_is_refused_by_its_name(tmp_path, kind):
    transect.write(tmp_path / "s", FRAME)
    call, why = WRONG[kind]
    with pytest.raises((TypeError, ValueError), match="^" + re.escape(why)) as caught:
        call(transect.open(tmp_path / "s"), tmp_path / "other")
    assert not isinstance(caught.value, transect.TransectError)
    assert transect.open(tmp_path / "s").version == 1 and not (tmp_path / "other").exists()


@pytest.mark.parametrize("yes", [1, np.True_, np.int64(1)])
def test_what_is_true_is_true(tmp_path, yes):
    transect.write(tmp_path / "s", FRAME)
    tonight = FRAME.assign(date="20240103")
    assert not transect.append(tmp_path / "s", tonight, dry_run=yes, keep=np.int64(3)).published
    assert transect.append(tmp_path / "s", tonight, dry_run=not yes, keep=np.int64(3)).published
    assert transect.open(tmp_path / "s").info().keep == 3


DAY = [datetime.timedelta(1), pd.Timedelta("1D"), "1d", "24h", 86_400, np.int64(86_400)]


@pytest.mark.parametrize("day", DAY, ids=repr)
def test_a_time_is_a_timedelta_words_or_seconds(tmp_path, day):
    transect.write(tmp_path / "s", FRAME, keep_for=day, wait="1d" if day == "24h" else day)
    assert transect.open(tmp_path / "s").info().keep_for_seconds == 86_400
    # Less than a second is some time, and what is too long to be counted is all.
    for age, seconds in ((datetime.timedelta(microseconds=1), 1), (datetime.timedelta.max, 2**64 // 10**9)):
        transect.append(tmp_path / "s", FRAME.assign(date="20240103"), keep_for=age)
        assert transect.open(tmp_path / "s").info().keep_for_seconds == seconds


@pytest.fixture(scope="module")
def replaced(tmp_path_factory):
    """A store whose first version was replaced more than a second ago, and not by a day."""
    store = tmp_path_factory.mktemp("replaced") / "s"
    transect.write(store, FRAME)
    transect.append(store, FRAME.assign(date="20240103"))
    time.sleep(1.1)
    return store


# Less than a second is one, and what is too long to be counted is all.
AGES = [(day, [1, 2]) for day in DAY] + [(datetime.timedelta.max, [1, 2]), (datetime.timedelta(microseconds=1), [2])]


@pytest.mark.parametrize(("age", "kept"), [*AGES, (datetime.timedelta(seconds=1), [2]), (1, [2]), (0, [2])], ids=repr)
def test_versions_go_that_were_replaced_longer_ago_than_is_said(replaced, age, kept):
    assert transect.gc(replaced, keep=1, dry_run=True).kept_versions == [2]
    for keep in (None, 1):
        assert transect.gc(replaced, keep=keep, older_than=age, dry_run=True).kept_versions == kept


WAITS = [(datetime.timedelta(minutes=5), datetime.timedelta(seconds=1)), (300, 1), ("5m", "1s")]


# A second is waited for, and no minute.
@pytest.mark.parametrize(("long", "short"), WAITS, ids=repr)
def test_another_writer_is_waited_for_as_long_as_is_said(tmp_path, long, short):
    transect.write(tmp_path / "s", FRAME)
    writes, may_end = threading.Event(), threading.Event()

    def frames():
        yield FRAME.rename(columns={"x": "y"})
        writes.set()
        may_end.wait()

    with concurrent.futures.ThreadPoolExecutor() as pool:
        other = pool.submit(transect.add_source, tmp_path / "s", frames(), name="y")
        try:
            writes.wait()
            for wait, seconds in ((0, 0.0), (short, 1.0)):
                began = time.monotonic()
                with pytest.raises(transect.Locked):
                    transect.append(tmp_path / "s", FRAME.assign(x=2.0), source="frame", wait=wait)
                assert seconds <= time.monotonic() - began < seconds + 30
            threading.Timer(2.0, may_end.set).start()
            own = transect.append(tmp_path / "s", FRAME.assign(x=2.0), source="frame", wait=long)
        finally:
            may_end.set()
    assert (other.result().version, own.version) == (2, 3)


def test_more_versions_than_can_be_counted_are_all(tmp_path):
    transect.write(tmp_path / "s", FRAME)
    for date in ("20240103", "20240104", "20240105"):
        transect.append(tmp_path / "s", FRAME.assign(date=date), keep=2**32 + 1)
    assert transect.gc(tmp_path / "s", keep=2**63 - 1).kept_versions == [1, 2, 3, 4]


def test_what_is_added_to_a_list_is_taken_from_it_by_its_name(tmp_path):
    transect.write(tmp_path / "s", FRAME)
    for taken in (["x"], "x", {"x": "y"}):
        transect.set_source(tmp_path / "s", "frame", add={"rename": {"x": "y"}})
        assert transect.open(tmp_path / "s").columns == ["y"]
        transect.set_source(tmp_path / "s", "frame", remove={"rename": taken})
        assert transect.open(tmp_path / "s").columns == ["x"]
    transect.set_source(tmp_path / "s", "frame", rename={"x": "y"})
    transect.set_source(tmp_path / "s", "frame", rename={}, prefix="")
    assert transect.open(tmp_path / "s").columns == ["x"]


def test_types_of_arguments_can_be_imported():
    for name in ("DateLike", "Path", "Progress", "Universe"):
        assert name in transect.__all__ and getattr(transect, name)


def test_a_name_with_the_sign_between_two_names_is_not_cut_there(tmp_path):
    frame = pd.DataFrame({"ts_code": ["A"], "trade_date": ["20240102"], "a": [1.0], "a=b": [2.0]})
    transect.write(tmp_path / "s", frame.rename(columns={"a": "x", "a=b": "y"}))
    with pytest.raises(ValueError, match="rename: 'a=b' has a \"=\""):
        transect.add_source(tmp_path / "s", frame, name="n", rename={"a=b": "q"})
    transect.add_source(tmp_path / "s", frame, name="n", rename={"a": "q=r"})
    assert transect.open(tmp_path / "s").columns == ["x", "y", "q=r", "a=b"]
