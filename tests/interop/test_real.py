"""Real files end to end, where they are at hand: TRANSECT_DATA, or shared/data beside the repository."""

import pyarrow.parquet as pq
import pytest

import transect
from engines import ENGINES, PyArrow

SETS = {
    # name: (the output's date column, options of build)
    "cn_tushare": ("trade_date", ()),
    "us_sp500_5y": ("date", ()),
    "cn_csi800": ("date", ()),
    "cn_decimal_mit": ("trade_date", ()),
    "cn_mixed_headers": ("cal_date", ("--date-column", "cal_date,trade_date,date")),
    "cn_daily_same_codes": ("date", ()),
}


@pytest.fixture(scope="session", params=SETS)
def real(request, tmp_path_factory):
    """(source, store, out, date column, names of the skipped files) of one set."""
    source = transect.DATA / request.param
    if not source.is_dir():
        pytest.skip(f"{source} is absent; set TRANSECT_DATA to the folder that holds it")
    date, options = SETS[request.param]
    home = tmp_path_factory.mktemp(request.param)
    # The engines call the code ts_code, and keep a column that has it, too.
    options = [*options, "--allow", "skipped-files", "--code-column", "ts_code"]
    report = transect.build(source, home / "store", *options, expect=(transect.DONE, transect.SKIPPED))
    transect.transpose(home / "store", home / "out")
    return source, home / "store", home / "out", date, set(transect.skipped(report))


def test_a_real_set_is_verified(real):
    source, store, out, _, skipped = real
    transect.verify(store)
    # What was skipped is no difference, and not all of the source either.
    right = transect.SKIPPED if skipped else transect.DONE
    transect.verify(store, "--source", source, "--output", out, expect=right)


def files_of(source, left_out):
    return [(code, path) for code, path in transect.inputs(source) if path.name not in left_out]


class OneDateName:
    """An engine whose input has the date under several names: the folder is rewritten under the first."""

    def __init__(self, engine, date, home):
        self.engine, self.date, self.home = engine, date, home

    def panel(self, files):
        import pyarrow.parquet as pq

        renamed = []
        for code, path in files:
            names = pq.read_schema(path).names
            if self.date not in names:
                other = next(name for name in ("trade_date", "date") if name in names)
                table = pq.ParquetFile(path).read()
                path = self.home / path.name
                pq.write_table(table.rename_columns([self.date if name == other else name for name in names]), path)
            renamed.append((code, path))
        return self.engine.panel(renamed, self.date)


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_sections_of_a_real_set_equal_what_an_engine_computes(real, tmp_path, engine):
    source, _, out, date, left_out = real
    expected = OneDateName(engine, date, tmp_path).panel(files_of(source, left_out))
    actual = engine.read(transect.sections(out).values())
    transect.assert_same(transect.with_days(expected, date), transect.with_days(actual, date), engine.name)


def test_no_file_of_a_clean_set_is_skipped(real):
    source, _, _, _, left_out = real
    if source.name != "cn_mixed_headers":
        assert not left_out


def test_segments_of_a_real_set_open_elsewhere(real, tmp_path):
    import polars as pl
    import pyarrow as pa

    source, store, _, date, left_out = real
    expected = OneDateName(PyArrow(), date, tmp_path).panel(files_of(source, left_out))
    by_arrow = sum(pa.ipc.open_file(path).read_all().num_rows for path in transect.segments(store))
    by_polars = sum(pl.read_ipc(path).height for path in transect.segments(store))
    assert by_arrow == by_polars == expected.num_rows


KEYED = {
    # name: (options of build, a date column that comes out as a day)
    "us_1min_date_tod": (("--key", "ToD"), None),
    "crypto_5m_epoch_ms": (("--date-column", "timestamp", "--key", "timestamp", "--epoch", "ms"), None),
    "cn_15min_datetime": (("--date-column", "datetime", "--key", "datetime"), None),
    "us_5m_mixed_offsets": (("--key", "date"), None),
    "fut_cn_5m_night": (
        ("--date-column", "<Date>", "--key", " <Time>", "--date-format", "%Y/%m/%d %A"),
        "<Date>",
    ),
    "us_sec_fundamentals": (("--date-column", "available_date", "--key", "period_end"), None),
    "tw_chips": (("--key", "name"), None),
    "us_option_atm": (("--key", "contractID"), None),
}


@pytest.mark.parametrize("name", KEYED)
def test_a_set_of_several_rows_a_date_goes_in_and_out_exactly(name, tmp_path):
    import polars as pl
    from polars.testing import assert_frame_equal

    source = transect.DATA / name
    if not source.is_dir():
        pytest.skip(f"{source} is absent; set TRANSECT_DATA to the folder that holds it")
    options, as_day = KEYED[name]
    transect.build(source, tmp_path / "store", *options, "--code-column", "its code")
    transect.transpose(tmp_path / "store", tmp_path / "out")
    transect.verify(tmp_path / "store", "--source", source, "--output", tmp_path / "out")

    files = [pl.read_parquet(path).with_columns(pl.lit(code).alias("its code")) for code, path in transect.inputs(source)]
    # Identical rows are merged.
    expected = pl.concat(files, how="diagonal_relaxed").unique()
    if as_day:
        day = pl.col(as_day).str.split(" ").list.first().str.to_date("%Y/%m/%d")
        expected = expected.with_columns(day)
    actual = pl.concat([pl.read_parquet(path) for path in transect.sections(tmp_path / "out").values()])
    actual = actual.select(expected.columns).cast(dict(expected.schema))
    by = ["its code", *(column for column in expected.columns if not expected[column].dtype.is_float())]
    assert_frame_equal(actual.sort(by), expected.sort(by), check_exact=True)


def test_night_sessions_are_of_the_next_trading_date(tmp_path):
    import polars as pl
    from polars.testing import assert_frame_equal

    source = transect.DATA / "fut_cn_5m_night"
    if not source.is_dir():
        pytest.skip(f"{source} is absent; set TRANSECT_DATA to the folder that holds it")
    options = ["--date-column", "<Date>", "--key", "<Date>, <Time>", "--date-format", "%Y/%m/%d %A"]
    files = [pl.read_parquet(path).with_columns(pl.lit(code).alias("ts_code")) for code, path in transect.inputs(source)]
    day = pl.col("<Date>").str.split(" ").list.first().str.to_date("%Y/%m/%d")
    rows = pl.concat(files, how="vertical_relaxed").unique().with_columns(day.alias("day"), (pl.col(" <Time>") >= "20:30:00").alias("is_night"))
    assert rows["is_night"].sum() == 12 * 288
    trading = rows.filter(~pl.col("is_night")).select("day").unique().sort("day")
    calendar = tmp_path / "calendar.csv"
    trading.rename({"day": "trade_date"}).write_csv(calendar)
    after = rows.select(pl.col("day") + pl.duration(days=pl.col("is_night").cast(pl.Int64))).to_series()
    joined = rows.with_columns(after.alias("after")).sort("after")
    joined = joined.join_asof(trading.rename({"day": "date"}), left_on="after", right_on="date", strategy="forward")
    for name, by in [("dates", ()), ("calendar", ("--calendar", calendar))]:
        store, out = tmp_path / f"{name}.store", tmp_path / f"{name}.out"
        report = transect.build(source, store, *options, "--roll", "20:30", *by)
        assert report["waiting_rows"] == joined["date"].null_count() == 0
        transect.transpose(store, out)
        transect.verify(store, "--source", source, "--output", out)
        expected = joined.drop("day", "is_night", "after")
        actual = pl.concat([pl.read_parquet(path) for path in transect.sections(out).values()])
        key = ["ts_code", "<Date>", " <Time>"]
        assert_frame_equal(actual.select(expected.columns).sort(key), expected.sort(key), check_exact=True)
    # Friday's night is of Monday.
    friday = joined.filter(pl.col("is_night") & (pl.col("day").dt.weekday() == 5))
    assert set(friday["date"].dt.weekday()) == {1}


SEVERAL = {
    # name: (options of build, the code of a path)
    "by_ticker_year": (("--pattern", "{code}/{year}.parquet"), lambda path: path.parent.name),
    "by_exchange_names": (
        ("--pattern", "{exchange}/{code}.parquet", "--code-template", "{exchange}: {code}"),
        lambda path: f"{path.parent.name}: {path.stem}",
    ),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_a_set_of_folders_goes_in_and_out_exactly(name, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    source = transect.DATA / name
    if not source.is_dir():
        pytest.skip(f"{source} is absent; set TRANSECT_DATA to the folder that holds it")
    options, code_of = SEVERAL[name]
    transect.build(source, tmp_path / "store", *options, "--code-column", "its code")
    transect.transpose(tmp_path / "store", tmp_path / "out")
    transect.verify(tmp_path / "store", "--source", source, "--output", tmp_path / "out")

    def coded(path):
        table = pq.read_table(path, partitioning=None)
        return table.append_column("its code", pa.array([code_of(path)] * table.num_rows, pa.string()))

    expected = pa.concat_tables([coded(path) for path in sorted(source.glob("*/*.parquet"))], promote_options="default")
    actual = pa.concat_tables([pq.read_table(path) for path in transect.sections(tmp_path / "out").values()])
    actual = actual.select(expected.column_names).cast(expected.schema)
    date = next(name for name in expected.column_names if name.lower() == "date")
    by = [("its code", "ascending"), (date, "ascending")]
    assert actual.sort_by(by).equals(expected.sort_by(by))


def test_sets_by_stock_and_one_by_date_are_joined_exactly(tmp_path):
    import polars as pl
    from polars.testing import assert_frame_equal

    by_stock = ("tw_prices", "tw_margin", "tw_foreign_shareholding")
    by_date = transect.DATA / "perdate_tw_instflows"
    sources = {name: transect.DATA / name for name in by_stock}
    if not all(source.is_dir() for source in [by_date, *sources.values()]):
        pytest.skip(f"{transect.DATA} lacks sets of tw; set TRANSECT_DATA to the folder that holds them")
    store, exclude = tmp_path / "store", ("--exclude", "stock_id")
    transect.build(sources["tw_prices"], store, "--code-column", "ticker")
    transect.run("source", "add", store, *list(sources.values())[1:], *exclude)
    # The extracts have other stocks.
    stopped = transect.run("source", "add", store, by_date, "--files-by", "date", expect=transect.STOPPED)
    assert "few-codes of perdate_tw_instflows: 0 of 38 known codes are in the folder; known are 1309, 1711, 1727, and" in stopped.stderr
    transect.run("source", "add", store, by_date, "--files-by", "date", "--allow", "few-codes")
    transect.transpose(store, tmp_path / "out")
    for source in [*sources.values(), by_date]:
        transect.verify(store, "--source", source, "--output", tmp_path / "out")

    def panel(source):
        files = [pl.read_parquet(path).with_columns(pl.lit(code).alias("ticker")) for code, path in transect.inputs(source)]
        return pl.concat(files).drop("stock_id", strict=False)

    flows = pl.concat([pl.read_parquet(path) for path in sorted(by_date.glob("*.parquet"))])
    assert flows.height > 0 and all(
        (pl.read_parquet(path)["date"].str.replace_all("-", "") == path.stem).all() for path in by_date.glob("*.parquet")
    )
    key = ["date", "ticker"]
    expected = panel(sources["tw_prices"])
    for other in [panel(sources["tw_margin"]), panel(sources["tw_foreign_shareholding"]), flows]:
        expected = expected.join(other, on=key, how="full", coalesce=True)
    actual = pl.concat([pl.read_parquet(path) for path in transect.sections(tmp_path / "out").values()])
    assert_frame_equal(actual.select(expected.columns).sort(key), expected.sort(key), check_exact=True)


def test_a_set_by_date_alone_goes_in_and_out_exactly(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    source = transect.DATA / "perdate_tw_instflows"
    if not source.is_dir():
        pytest.skip(f"{source} is absent; set TRANSECT_DATA to the folder that holds it")
    store, again = tmp_path / "store", tmp_path / "again"
    transect.build(source, store, "--files-by", "date")
    transect.transpose(store, tmp_path / "out")
    transect.verify(store, "--source", source, "--output", tmp_path / "out")

    def table(paths):
        whole = pa.concat_tables([pq.ParquetFile(path).read() for path in paths])
        return whole.sort_by([("date", "ascending"), ("ticker", "ascending")])

    expected = table(sorted(source.glob("*.parquet")))
    outputs = transect.sections(tmp_path / "out").values()
    actual = table(outputs)
    assert actual.select(expected.column_names).equals(expected)
    # What transpose wrote is a folder by date: it makes the same store, row by row.
    transect.build(tmp_path / "out", again, "--files-by", "date")
    transect.verify(again, "--source", source)
    transect.transpose(again, tmp_path / "out again")
    for name, path in transect.sections(tmp_path / "out again").items():
        assert path.read_bytes() == transect.sections(tmp_path / "out")[name].read_bytes()


def test_a_real_set_goes_to_stocks_and_back(real, tmp_path):
    _, store, out, _, _ = real
    transect.transpose(store, tmp_path / "stocks", "--by", "stock")
    transect.verify(store, "--output", tmp_path / "stocks")
    first = transect.sections(out)
    date = pq.read_schema(next(iter(first.values()))).names[1]
    transect.build(tmp_path / "stocks", tmp_path / "again", "--date-column", date)
    transect.transpose(tmp_path / "again", tmp_path / "dates")
    second = transect.sections(tmp_path / "dates")
    assert list(first) == list(second)
    transect.assert_same(PyArrow().read(first.values()), PyArrow().read(second.values()))
