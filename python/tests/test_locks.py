"""A file system without locks: each system call flock fails, as it does there. Writers refuse and say what helps; readers
read."""

import ctypes
import errno
import functools
import platform
import shutil
import struct
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

# The number of the system call.
FLOCK = {"x86_64": 73, "aarch64": 32}.get(platform.machine())
pytestmark = pytest.mark.skipif(sys.platform != "linux" or FLOCK is None, reason="needs seccomp, and flock's number")

COMMAND = "import sys; sys.argv[0] = 'transect'; from transect._transect import main; sys.exit(main())"


def lose_locks(number):
    """From now on, flock fails in this process with the error `number`."""
    steps = [
        (0x20, 0, 0, 0),  # the number of the call
        (0x15, 0, 1, FLOCK),
        (0x06, 0, 0, 0x00050000 | number),  # fails
        (0x06, 0, 0, 0x7FFF0000),  # allowed
    ]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    filtered = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    none = ctypes.c_ulong(0)
    if prctl(38, ctypes.c_ulong(1), none, none, none) or prctl(22, ctypes.c_ulong(2), filtered, none, none):
        raise OSError(ctypes.get_errno(), "prctl")


def without_locks(code, *words, number=errno.ENOLCK):
    """What running `code` there tells."""
    command = [sys.executable, "-c", code, *map(str, words)]
    losing = functools.partial(lose_locks, number)
    return subprocess.run(command, capture_output=True, text=True, preexec_fn=losing, timeout=60)


@pytest.fixture
def home(own, source):
    """A directory with a store, whose source has changed, its files, and plans of all kinds that are all but committed."""
    home = own.parent
    shutil.copytree(source, home / "features")
    run = functools.partial(transect_here, home)
    run("build", "features", "panel.store")
    run("transpose", "panel.store", "by_date")
    table = pq.read_table(home / "features/BRK.B.parquet")
    pq.write_table(table.slice(1), home / "features/BRK.B.parquet")
    (home / "more").mkdir()
    pq.write_table(table.select(["trade_date", "close"]), home / "more/BRK.B.parquet")
    day = pa.table({"ts_code": ["BRK.B"], "trade_date": ["20240105"], "close": [1.0]})
    pq.write_table(day, home / "20240105.parquet")
    few = ["--parts", 1, "--bands", 1]
    run("task", "plan", "features", "new.store", "--staging", "new", *few)
    run("task", "update", "panel.store", "--staging", "night", *few)
    run("task", "add", "panel.store", "more", "--prefix", "m_", "--staging", "adds", *few)
    run("task", "transpose", "panel.store", "files", "--staging", "writes", "--parts", 1)
    for plan in ["new", "night", "adds"]:
        run("task", "gather", f"{plan}/plan.json", 0)
        run("task", "assemble", f"{plan}/plan.json")
        if plan != "new":
            run("task", "compare", f"{plan}/plan.json", 0)
        run("task", "seal", f"{plan}/plan.json", 0)
    run("task", "write", "writes/plan.json", 0)
    return home


def transect_here(home, *words):
    subprocess.run([sys.executable, "-c", COMMAND, *map(str, words)], cwd=home, check=True, capture_output=True)


def files(home):
    return {path: path.read_bytes() for path in home.rglob("*") if path.is_file() and path.name != "LOCK"}


WRITES = """
build features other.store
update panel.store
append panel.store 20240105.parquet
append panel.store 20240105.parquet --replace
source add panel.store more --prefix m_
source set panel.store features.max-skipped=3
restore panel.store --version 1
gc panel.store --keep 1
transpose panel.store by_date
transpose panel.store other
task plan features third.store --staging other
task update panel.store --staging other
task add panel.store more --prefix m_ --staging other
task append panel.store 20240105.parquet --staging other
task transpose panel.store other --staging other
task commit new/plan.json
task commit night/plan.json
task commit adds/plan.json
task commit writes/plan.json
task run night/plan.json
"""


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_no_command_writes_where_there_are_no_locks_and_each_says_why(home, number, monkeypatch):
    monkeypatch.chdir(home)
    before = files(home)
    for line in WRITES.strip().splitlines():
        done = without_locks(COMMAND, *line.split(), number=number)
        # To run a task again would not help.
        assert done.returncode == (2 if line.startswith("task") else 1), (line, done)
        assert " has no locks (" in done.stderr and "would not know of each other" in done.stderr, (line, done.stderr)
        assert "mount it with flock" in done.stderr and "and copy here" in done.stderr, (line, done.stderr)
    assert files(home) == before


def test_what_was_written_elsewhere_is_read_where_it_was_copied(home, monkeypatch):
    monkeypatch.chdir(home)
    shutil.copytree("panel.store", "copied.store")
    for line in ["info", "show", "verify", "log", "coverage"]:
        done = without_locks(COMMAND, line, "copied.store")
        assert done.returncode == 0, (line, done)
    reads = "import transect; print(transect.open('copied.store').section(20240104).to_arrow().num_rows)"
    assert without_locks(reads).stdout == "1\n"


CALLS = """
transect.build('features', 'other.store')
transect.update('panel.store')
transect.append('panel.store', ['20240105.parquet'])
transect.append('panel.store', day)
transect.add_source('panel.store', 'more', prefix='m_')
transect.write('other.store', day)
transect.transpose('panel.store', 'by_date')
transect.tasks.plan('features', 'third.store', staging='other')
transect.tasks.plan_update('panel.store', staging='other')
transect.tasks.plan_transpose('panel.store', 'other', staging='other')
transect.tasks.run('new/plan.json')
transect.tasks.run('night/plan.json')
transect.tasks.run('writes/plan.json')
"""


def test_no_call_from_python_writes_where_there_are_no_locks(home, monkeypatch):
    monkeypatch.chdir(home)
    before = files(home)
    lines = ["import transect, transect.tasks, pyarrow.parquet", "day = pyarrow.parquet.read_table('20240105.parquet')"]
    lines.append("def refused(call):")
    lines.append("    try: call()")
    lines.append("    except transect.Refused as error: print(error)")
    lines += [f"refused(lambda: {call})" for call in CALLS.strip().splitlines()]
    done = without_locks("\n".join(lines))
    told = done.stdout.splitlines()
    assert (done.returncode, len(told)) == (0, len(CALLS.strip().splitlines())), done
    for line in told:
        assert " has no locks (" in line and "mount it with flock" in line and "and copy here" in line, line
    assert files(home) == before
