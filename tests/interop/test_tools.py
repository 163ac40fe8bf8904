"""The programs that measure run to their end, on panels that take no time. What they measured is nobody's claim here."""

import importlib.machinery
import importlib.util
import json
import os
import subprocess
import sys

import transect

TOOLS = transect.ROOT / "tools"


def measured(tool, home, *options):
    """The record that a tool writes."""
    record = home / "record.json"
    command = [sys.executable, TOOLS / tool, *options, "--runs", 1, "--dir", home / "work", "--json", record]
    environment = os.environ | {"TRANSECT_BIN": str(transect.BIN)}
    done = subprocess.run([str(word) for word in command], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(record.read_text())
    assert found["machine"]["processor"] and found["machine"]["cores"] > 0
    return found


def test_compare_measures_all_contestants(tmp_path):
    record = measured("compare", tmp_path, "--stocks", 6, "--dates", 12)
    assert record["panel"]["rows"] > 12
    names = {"transect build", "transect transpose", "transect, both", "duckdb", "polars", "re-reading (from 2 dates)"}
    assert set(record["median"]) == names
    assert all(figures["wall"] > 0 for figures in record["median"].values())


def test_nights_measures_every_kind_of_night(tmp_path):
    record = measured("nights", tmp_path, "--stocks", 60, "--dates", 20)
    assert len(record["nights"]) == 6
    assert [night["dirty_dates"] > 0 for night in record["nights"]] == [False] + 5 * [True]


def test_shapes_measures_a_given_panel(tmp_path):
    transect.synth(tmp_path / "panel", "--stocks", 6, "--dates", 12)
    [figures] = measured("shapes", tmp_path, "--panel", tmp_path / "panel")["shapes"].values()
    assert figures["rows"] > 12 and len(figures["transpose"]) == 5


def test_every_mutant_has_one_place_in_the_code():
    # What the list names moves when code does; a mutant that is nowhere finds nothing.
    path = str(TOOLS / "mutants")
    loader = importlib.machinery.SourceFileLoader("mutants", path)
    mutants = importlib.util.module_from_spec(importlib.util.spec_from_loader("mutants", loader))
    loader.exec_module(mutants)
    counts = {name: (transect.ROOT / file).read_text().count(old) for name, file, old, *_ in mutants.MUTANTS}
    assert {name: count for name, count in counts.items() if count != 1} == {}
