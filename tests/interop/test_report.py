"""The page that `report` writes, opened in a browser. Names that would be tags must be text there, in charts and in
tables, and nothing may be asked of a network."""

import datetime
import json
import re
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


def opened(chromium, script, page, code, store):
    """What the script finds on the page of `store`, which has to say what `coverage` and `log` say."""
    coverage = transect.run("coverage", store, "--json").report
    logged = transect.run("log", store, "--json").report["versions"]
    assert [one["dirty_dates"] for one in coverage["versions"]] == [one["dirty_dates"] for one in logged]
    file = page.with_suffix(".json")
    columns = [{"name": column["name"], "years": column["years"]} for column in coverage["columns"] if column["years"]]
    file.write_text(json.dumps({"dates": coverage["dates"], "columns": columns, "versions": coverage["versions"]}))
    done = subprocess.run(["node", script, chromium, page, code, file], capture_output=True, timeout=240)
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
    return json.loads(done.stdout)


def hostile(source, dates, stocks):
    """Stocks, one of a name that would be a tag, one absent at times, one stale, with nulls and NaNs."""
    for stock in range(stocks):
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


# More than twice as many stocks as the heat map has lines share them.
@pytest.mark.parametrize(
    ("dates", "stocks"), [*((dates, 25) for dates in DATES.values()), (DATES["a day"], 1300)], ids=[*DATES, "many stocks"]
)
def test_the_page_opens_and_answers_without_an_error(chromium, script, dates, stocks, tmp_path):
    source, store = tmp_path / "source", tmp_path / "store"
    hostile(source, dates, stocks)
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
    found = opened(chromium, script, page, CODE, store)
    assert set(found) == {"light_ms", "dark_ms", "stocks_of_a_line", "unusual", "too_long"}
    assert (found["stocks_of_a_line"] > 1) == (stocks > 1240)
    assert (found["unusual"], found["too_long"]) == (0, 0)


def test_the_page_of_the_demo_opens(chromium, script, tmp_path):
    transect.run("demo", tmp_path / "demo")
    page, store = tmp_path / "report.html", tmp_path / "demo" / "panel.store"
    transect.run("report", store, page)
    opened(chromium, script, page, "000001.SZ", store)


def panel(source, months, weeks=4, size=0.0, columns=("size", "beta")):
    """Ten stocks on dates of these months of 2024, those of the last month in so many weeks."""
    source.mkdir(exist_ok=True)
    dates = [f"2024{month:02}{day:02}" for month in months for day in range(1, 7 * (weeks if month == months[-1] else 4))]
    for stock in range(10):
        values = [int(date[4:]) + (size if stock < 3 and date[4:6] == "01" else 0.0) for date in dates]
        table = {"trade_date": dates, **{column: values for column in columns}}
        pyarrow.parquet.write_table(pyarrow.table(table), source / f"S{stock}.parquet")


def test_the_calendar_says_which_dates_each_version_dirtied(chromium, script, tmp_path):
    prices, flows, store = tmp_path / "prices", tmp_path / "flows", tmp_path / "store"
    panel(prices, [1, 2, 3, 5])
    transect.build(prices, store)
    transect.build(prices, store, "--force", "--keep", "30")
    night = ["update", store, "--allow", "pruned-rows"]
    panel(prices, [1, 2, 3, 5, 9], size=1.0)
    transect.run(*night)
    panel(prices, [1, 3, 5], weeks=1, size=2.0)  # two months go, the last of them, and of another most dates
    transect.run(*night)
    panel(flows, [1, 3], columns=["flow"])
    transect.run("source", "add", store, flows)
    transect.run("source", "set", store, "prices.exclude+=beta")
    transect.run("source", "set", store, "prices.rename+=size:weight")
    transect.run("source", "drop", store, "flows")
    transect.run("restore", store, "--version", "6")
    transect.run("restore", store, "--version", "3")
    panel(prices, [1, 5, 6], weeks=2, size=3.0, columns=["size", "beta", "gamma"])  # all that may become of a row
    transect.run(*night)
    page = tmp_path / "report.html"
    transect.run("report", store, page)
    versions = transect.run("coverage", store, "--json").report["versions"]
    lost = {one["version"]: one["change"]["lost"] for one in versions if one["change"] and one["change"]["lost"]}
    assert lost == {6: ["beta"], 8: ["flow"], 10: ["flow"]}
    assert opened(chromium, script, page, "S3", store)["too_long"] == 0


def test_a_page_that_cannot_tell_all_by_date_says_of_which_versions(chromium, script, tmp_path):
    source, store, page = tmp_path / "source", tmp_path / "store", tmp_path / "report.html"
    source.mkdir()
    dates = [datetime.date(2000, 1, 1) + datetime.timedelta(days=n) for n in range(9000)]
    pyarrow.parquet.write_table(pyarrow.table({"trade_date": dates[:1], "size": [1.0]}), source / "T.parquet")
    for night in range(26):
        sizes = [float(n % 97 + night) for n in range(len(dates))]
        pyarrow.parquet.write_table(pyarrow.table({"trade_date": dates, "size": sizes}), source / "S.parquet")
        transect.run(*(["update", store, "--keep", "2"] if night else ["build", source, store]))
    transect.run("report", store, page)
    # Two bytes a date and version, of 400,000.
    assert opened(chromium, script, page, "S", store)["too_long"] == 25 - 400_000 // 18_000


def test_a_page_of_an_older_version_calls_none_live_but_the_live_one(tmp_path):
    prices, store, page = tmp_path / "prices", tmp_path / "store", tmp_path / "report.html"
    panel(prices, [1])
    transect.build(prices, store, "--keep", "2")
    for size in (1.0, 2.0):
        panel(prices, [1], size=size)
        transect.run("update", store)
    states = {}
    for version in ("2", "3"):
        transect.run("report", store, page, "--version", version)
        facts = re.search(r'id="facts">(.*?)</script>', page.read_text())
        states[version] = [told["state"] for told in json.loads(facts[1])["versions"]]
    assert states == {"2": ["gone", "kept"], "3": ["gone", "kept", "live"]}


def test_a_table_that_has_the_newest_dates_alone_says_so(chromium, script, tmp_path):
    source, store, page = tmp_path / "source", tmp_path / "store", tmp_path / "report.html"
    source.mkdir()
    dates = [datetime.date(2020, 1, 1) + datetime.timedelta(days=n) for n in range(900)]
    for stock in range(40):
        rows = [date for n, date in enumerate(dates) if n % 4 != 1 or stock % 4 != n // 4 % 4 or n > 880]
        table = {"trade_date": rows, "size": [float(n % 97) for n, _ in enumerate(rows)]}
        pyarrow.parquet.write_table(pyarrow.table(table), source / f"S{stock:02}.parquet")
    transect.build(source, store)
    transect.run("report", store, page)
    assert opened(chromium, script, page, "S03", store)["unusual"] > 200


# The one with most files, and the one with most dates.
@pytest.mark.parametrize(("name", "code"), [("us_sp500_5y", "A"), ("cn_tushare", "000001.SZ")])
def test_the_page_of_a_large_real_set_opens(chromium, script, name, code, tmp_path):
    source = transect.DATA / name
    if not source.is_dir():
        pytest.skip(f"{source} is absent; set TRANSECT_DATA to the folder that holds it")
    store, page = tmp_path / "store", tmp_path / "report.html"
    transect.build(source, store)
    transect.run("report", store, page)
    opened(chromium, script, page, code, store)
