"""The page that `report` writes, opened in a browser. Names that would be tags must be text there, in charts and in
tables, and nothing may be asked of a network."""

import json
import shutil
import subprocess
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

import transect

BROWSER = Path(__file__).resolve().parents[1] / "browser"
CODE = "</script><b>bold</b>"


@pytest.fixture(scope="module")
def chromium():
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("there is no chromium here: the page is not opened in a browser")
    return found


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """The script that drives the browser, with what it needs beside it."""
    if shutil.which("npm") is None:
        pytest.skip("there is no npm here: the page is not opened in a browser")
    home = tmp_path_factory.mktemp("browser")
    for name in ("package.json", "package-lock.json", "report.mjs"):
        shutil.copy(BROWSER / name, home)
    command = ["npm", "ci", "--silent", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=home, capture_output=True, timeout=240)
    if done.returncode != 0:
        pytest.skip(f"playwright-core cannot be had: {done.stderr[-300:].decode(errors='replace')}")
    return home / "report.mjs"


def hostile(source, dates):
    """25 stocks, one of a name that would be a tag, one absent at times, one stale, with nulls and NaNs."""
    for stock in range(25):
        code = "%3C%2Fscript%3E%3Cb%3Ebold%3C%2Fb%3E" if stock == 0 else f"S{stock:02}"
        rows = [n for n in range(len(dates)) if (stock, n % 7) != (1, 3) and (stock != 2 or n < 55)]
        table = {
            "trade_date": [dates[n] for n in rows],
            "<img src=x onerror=alert(1)>": [None if n % 9 == 0 else float(n + stock) for n in rows],
            "size": [float("nan") if n == 5 else (n * 37 + stock) % 11 - 5.0 for n in rows],
            "name": ["<b>x</b>" for _ in rows],
        }
        file = source / f"code={code}" / "data.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(pyarrow.table(table), file)


DATES = {
    "a day": ["20240131"],
    "a month": [f"202402{day:02}" for day in range(1, 21)],
    "a quarter": [f"2024{month:02}{day:02}" for month in (1, 2, 3) for day in range(1, 21)],
    "years": [f"{year}{month:02}{day:02}" for year in (2022, 2023, 2024) for month in range(1, 13) for day in (3, 17)],
}


@pytest.mark.parametrize("dates", DATES.values(), ids=DATES)
def test_the_page_opens_and_answers_without_an_error(chromium, script, dates, tmp_path):
    source, store = tmp_path / "source", tmp_path / "store"
    hostile(source, dates)
    transect.build(source, store, "--pattern", "code={code}/data.parquet")
    changed = source / "code=S05" / "data.parquet"
    table = pyarrow.parquet.read_table(changed)
    sizes = table.column("size").to_pylist()
    sizes[-1] += 1.0
    table = table.set_column(table.column_names.index("size"), "size", pyarrow.array(sizes))
    pyarrow.parquet.write_table(table, changed)
    (source / "code=<i>" / "data.parquet").parent.mkdir()
    (source / "code=<i>" / "data.parquet").write_bytes(b"PAR1 and no more")
    transect.run("update", store, expect=transect.SKIPPED)
    page = tmp_path / "report.html"
    report = transect.run("report", store, page, "--json").report
    assert report["bytes"] == page.stat().st_size < 200_000
    done = subprocess.run(["node", script, chromium, page, CODE], capture_output=True, timeout=240)
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
    assert set(json.loads(done.stdout)) == {"light_ms", "dark_ms"}
