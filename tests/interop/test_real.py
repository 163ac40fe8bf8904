"""Real files end to end, where they are at hand: TRANSECT_DATA, or shared/data beside the repository."""

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
    source, store, out, _, _ = real
    transect.verify(store)
    transect.verify(store, "--source", source, "--output", out)


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
