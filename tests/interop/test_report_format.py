"""What `--json` prints is what formats/report.md says, of every command, done or failed."""

import re
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import transect

TEXT = (transect.ROOT / "formats" / "report.md").read_text()
ROW = re.compile(r"^\| `(\w+)`(\??) \| ([^|]+) \| .* \|$")
COMMANDS = (
    "build", "update", "append", "restore", "source add", "source set", "source rename", "source drop", "transpose",
    "verify", "info", "source list", "log", "diff", "coverage", "report", "gc", "synth", "demo",
    "task plan", "task update", "task add", "task append", "task gather", "task assemble", "task compare", "task seal",
    "task transpose", "task write", "task commit", "task run",
)


def tables():
    """The fields of each command and each object: name to whether it may be absent, and its type."""
    found, names = {}, []
    for line in TEXT.splitlines():
        if line.startswith("#"):
            names = line.lstrip("# ").split(", ")
            found.update({name: {} for name in names})
        elif row := ROW.match(line):
            for name in names:
                found[name][row[1]] = (bool(row[2]), row[3])
    return found


TABLES = tables()
PLAIN = {
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "text": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "date": lambda value: isinstance(value, str) and re.fullmatch(r"\d{8}", value),
    "numbers": lambda value: isinstance(value, list) and all(isinstance(one, (int, float)) for one in value),
    "anything": lambda value: True,
}
seen = set()


def check(value, kind, place):
    """`value` is of the type that the document gives."""
    if kind.endswith(" or null"):
        return value is None or check(value, kind.removesuffix(" or null"), place)
    for many, parts in {"list of ": list, "map of ": dict}.items():
        if kind.startswith(many):
            assert isinstance(value, parts), place
            for one in value.values() if parts is dict else value:
                check(one, kind.removeprefix(many), place)
            return True
    if kind.startswith("fields of "):
        table = TABLES[kind.removeprefix("fields of ")]
        fields(value, {name: (True, kind) for name, (_, kind) in table.items()}, place)
        return True
    if kind in PLAIN:
        assert PLAIN[kind](value), f"{place} is {value!r}, and no {kind}"
        return True
    fields(value, TABLES[kind], place)
    seen.add(kind)
    return True


def fields(value, table, place):
    assert isinstance(value, dict), place
    lacking = {name for name, (may_lack, _) in table.items() if not may_lack} - set(value)
    assert set(value) <= set(table) and not lacking, f"{place}: {set(value) - set(table)} too many, {lacking} too few"
    for name, one in value.items():
        check(one, table[name][1], f"{place}.{name}")


def told(*words, expect=0, like=None):
    """Runs a command, and holds its report to the document, which tells it as that of the command or as `like`."""
    done = transect.run(*words, "--json", expect=expect)
    report = done.report
    command = next(name for name in COMMANDS if " ".join(map(str, words)).startswith(name))
    assert report["command"] == command and report["schema_version"] == 1 and report["exit_code"] == done.code
    common = TABLES["All commands"]
    if "error" in report and "version" not in report:
        fields(report, common | {"skipped": (True, "list of skipped")}, command)
    else:
        fields(report, common | TABLES[like or command], command)
        seen.add(command)
    return report


def write(path, close, dates=("20240102", "20240103"), **more):
    count = len(dates)
    columns = {"date": list(dates), "close": pa.array([close] * count, pa.float64()), "name": ["a"] * count, **more}
    pq.write_table(pa.table(columns), path)


def test_a_name_means_one_thing_in_all_tables():
    rows = re.findall(r"^\| `(\w+)`\?? \| ([^|]+) \| (.*) \|$", TEXT, re.M)
    for name, kind, what in rows:
        if name in ("added", "restated", "filled", "removed"):
            assert kind.startswith("list of ") or re.search("rows|values", what), f"{name}: {what}"
        if name == "source":
            assert "folder" not in what and "director" not in what, f"{name}: {what}"
        if re.match("files? (that were|removed|read|touched)", what) and kind == "number":
            assert name.endswith("_files") or name in ("taken_over", "left"), f"{name}: {what}"
        if "guard's word" in what or what.startswith("the word that"):
            assert name == "guard", f"{name}: {what}"
        if what == "when it was published":
            assert name == "created_ns", name


@pytest.fixture
def home(tmp_path):
    (tmp_path / "src").mkdir()
    for code, close in {"A": 1.0, "B": 2.0, "C": 3.0}.items():
        write(tmp_path / "src" / f"{code}.parquet", close)
    (tmp_path / "src" / "D.parquet").write_bytes(b"")
    return tmp_path


def test_reports_are_what_the_document_says(home):
    src, store = home / "src", home / "s"
    told("synth", home / "made", "--stocks", 2, "--dates", 30)
    plan, cut = home / "st" / "plan.json", ("--parts", 1, "--bands", 1)
    told("task", "plan", src, home / "t", "--staging", home / "st", *cut)
    told("task", "commit", plan, expect=1)
    for word in ("gather", "seal"):
        told("task", word, plan, 0)
        told("task", word, plan, 0)
        told("task", word, plan, 1, expect=2)
        told("task", "assemble", plan)
    told("task", "commit", plan, expect=3)
    told("task", "commit", plan, expect=3)
    told("task", "plan", src, home / "r", "--staging", home / "rs", *cut)
    told("task", "run", home / "rs" / "plan.json", expect=3)
    told("task", "update", home / "r", "--staging", home / "us", *cut)
    told("task", "add", home / "r", src, "--source", "again", "--prefix", "a_", "--staging", home / "as", *cut)
    plan = home / "as" / "plan.json"
    for word in ("gather", "compare", "seal"):
        told("task", word, plan, 0)
        told("task", word, plan, 0)
        told("task", "assemble", plan)
    told("task", "commit", plan, expect=3, like="update")
    told("task", "run", plan, expect=3, like="update")
    told("task", "transpose", home / "r", home / "by_task", "--staging", home / "os", "--parts", 1)
    told("task", "commit", home / "os" / "plan.json", expect=1)
    told("task", "write", home / "os" / "plan.json", 0)
    told("task", "write", home / "os" / "plan.json", 0)
    told("task", "run", home / "os" / "plan.json")
    told("task", "commit", home / "os" / "plan.json")
    told("task", "transpose", home / "r", home / "by_task", "--staging", home / "os", expect=2)
    told("gc", home / "r", "--staging", home / "rs", "--older-than", "0h")
    told("demo", home / "demo")
    told("build", src, store, expect=3)
    told("build", src, store, expect=1)
    told("build", src, expect=2)
    told("build", src, store, "--nonsense", expect=2)
    told("info", store)
    told("log", store)
    told("diff", store)
    told("verify", store, "--source", src, expect=3)
    write(src / "A.parquet", 1.5, ("20240102", "20240103", "20240104"), added=[1, 2, 3])
    (src / "B.parquet").unlink()
    told("update", store, "--max-restated", 0, expect=4)
    told("update", store, "--expect", "20240105", "--dry-run", expect=4)
    report = told("update", store, "--max-restated", 3, expect=3)
    assert report["newest"]["stale"] == 2 and report["stocks"] == [{"stock": "A", "restated": 2}]
    assert [near["guard"] for near in report["near"]] == ["max-restated"]
    told("diff", store)
    told("diff", store, 9, expect=2)
    told("diff", store, "--stock", "nobody", expect=2)
    tonight = {"ts_code": ["A", "C"], "date": ["20240104"] * 2, "close": [9.0, 1.0], "name": ["b", "b"], "added": [7, None]}
    pq.write_table(pa.table(tonight), home / "20240104.parquet")
    told("task", "append", store, home / "20240104.parquet", "--staging", home / "ns", *cut)
    told("append", store, home / "20240104.parquet")
    assert told("diff", store)["turns"]
    assert told("verify", store, "--source", src, expect=3)["source"]["restated"]
    (home / "value").mkdir()
    write(home / "value" / "A.parquet", 7.0)
    told("source", "add", store, home / "value", "--prefix", "v_", "--allow", "few-codes")
    told("source", "list", store)
    told("source", "set", store, "value.exclude+=name")
    told("source", "rename", store, "value", "money")
    told("source", "drop", store, "money")
    told("restore", store, "--version", 1, "--allow", "appended-rows,pruned-rows")
    told("coverage", store)
    told("transpose", store, home / "out")
    told("verify", store, "--output", home / "out")
    write(src / "C.parquet", 8.0)
    told("verify", store, "--source", src, expect=6)
    told("report", store, home / "page.html")
    told("gc", store, "--keep", 1)
    for path in store.glob("segment/*.arrow"):
        path.write_bytes(b"x" * path.stat().st_size)
    told("verify", store, expect=6)
    shutil.rmtree(store)
    told("info", store, expect=1)
    # A panel in which something jumps.
    (home / "feed").mkdir()
    days = [f"202401{day:02}" for day in range(1, 29)]
    for code in range(25):
        prices = pa.array([1.0] * 14 + [100.0] * 14)
        pq.write_table(pa.table({"date": days, "price": prices}), home / "feed" / f"{code:03}.parquet")
    told("build", home / "feed", store)
    assert told("coverage", store)["columns"][0]["jump_count"] == 1
    unseen = {name for name, table in TABLES.items() if table} - seen - {"All commands"}
    assert not unseen, "no report had one"
