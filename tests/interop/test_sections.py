"""Sections written by transpose equal what each engine computes from the inputs."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import transect
from engines import CODE, ENGINES, PyArrow, ordered


@pytest.fixture(scope="session")
def out(panel, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "sections"
    transect.transpose(panel.store, out)
    return out


def arrow_panel(panel):
    return PyArrow().panel(panel.files, panel.date)


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_sections_equal_what_an_engine_computes_itself(panel, out, engine):
    expected = engine.panel(panel.files, panel.date)
    found = transect.sections(out)
    assert len(found) == 300
    transect.assert_same(expected, engine.read(found.values()), engine.name)


def test_each_file_holds_its_date_alone(panel, out):
    for name, expected in transect.by_date(arrow_panel(panel), panel.date).items():
        actual = pq.ParquetFile(out / f"{name}.parquet").read()
        transect.assert_same(expected, actual, name)


def test_every_file_has_the_same_schema(out):
    schemas = {str(pq.read_schema(path).remove_metadata()) for path in transect.sections(out).values()}
    assert len(schemas) == 1


@pytest.mark.parametrize("given, codec", [("snappy", "SNAPPY"), ("zstd", "ZSTD"), ("zstd:9", "ZSTD"), ("lz4", "LZ4"), ("none", "UNCOMPRESSED")])
def test_compression_changes_the_bytes_only(panel, tmp_path, given, codec):
    transect.transpose(panel.store, tmp_path / "out", "--compression", given, "--from", "20260601")
    expected = transect.by_date(arrow_panel(panel), panel.date)
    found = transect.sections(tmp_path / "out")
    assert list(found) == [name for name in expected if name >= "20260601"]
    group = pq.ParquetFile(next(iter(found.values()))).metadata.row_group(0)
    assert {group.column(place).compression for place in range(group.num_columns)} == {codec}
    for engine in ENGINES:
        all_rows = engine.panel(panel.files, panel.date)
        days = transect.days(all_rows[panel.date])
        late = pa.array([day.strftime("%Y%m%d") >= "20260601" for day in days.to_pylist()])
        transect.assert_same(all_rows.filter(late), engine.read(found.values()), f"{given}, {engine.name}")


def test_arrow_files_hold_the_same_rows(panel, tmp_path):
    import polars as pl

    transect.transpose(panel.store, tmp_path / "out", "--format", "arrow", "--from", "2026-05-01")
    found = transect.sections(tmp_path / "out", "arrow")
    expected = {name: rows for name, rows in transect.by_date(arrow_panel(panel), panel.date).items() if name >= "20260501"}
    assert list(found) == list(expected)
    for name, rows in expected.items():
        with pa.memory_map(str(found[name])) as file:
            transect.assert_same(rows, pa.ipc.open_file(file).read_all(), name)
        transect.assert_same(rows, pl.read_ipc(found[name]).to_arrow(), f"polars, {name}")


def test_without_the_date_the_other_columns_stay(panel, tmp_path):
    transect.transpose(panel.store, tmp_path / "out", "--no-date")
    found = transect.sections(tmp_path / "out")
    for name, expected in transect.by_date(arrow_panel(panel), panel.date).items():
        transect.assert_same(expected.drop_columns(panel.date), pq.ParquetFile(found[name]).read(), name)


def test_columns_are_chosen_by_name_and_stay_in_panel_order(panel, tmp_path):
    names = PyArrow().panel(panel.files, panel.date).column_names
    chosen = [names[5], names[3]]
    transect.transpose(panel.store, tmp_path / "out", "--columns", ",".join(chosen))
    for name, expected in transect.by_date(arrow_panel(panel), panel.date).items():
        actual = pq.ParquetFile(tmp_path / "out" / f"{name}.parquet").read()
        transect.assert_same(expected.select(ordered(sorted(chosen, key=names.index), panel.date)), actual, name)


def test_columns_are_left_out_by_name(panel, tmp_path):
    names = PyArrow().panel(panel.files, panel.date).column_names
    transect.transpose(panel.store, tmp_path / "out", "--exclude", f"{names[2]},{names[4]}")
    for name, expected in transect.by_date(arrow_panel(panel), panel.date).items():
        actual = pq.ParquetFile(tmp_path / "out" / f"{name}.parquet").read()
        transect.assert_same(expected.drop_columns([names[2], names[4]]), actual, name)


def test_from_and_to_take_both_ends_in(panel, tmp_path):
    names = list(transect.by_date(arrow_panel(panel), panel.date))
    transect.transpose(panel.store, tmp_path / "out", "--from", names[10], "--to", names[20])
    assert list(transect.sections(tmp_path / "out")) == names[10:21]


def test_dates_are_named_one_by_one(panel, tmp_path):
    names = list(transect.by_date(arrow_panel(panel), panel.date))
    transect.transpose(panel.store, tmp_path / "out", "--dates", f"{names[3]},{names[200]}")
    assert list(transect.sections(tmp_path / "out")) == [names[3], names[200]]


def test_a_date_the_store_lacks_is_an_error_that_names_the_nearest(panel, tmp_path):
    done = transect.run("transpose", panel.store, tmp_path / "out", "--dates", "20260627", expect=transect.USAGE)
    assert "20260626" in done.stderr.replace("-", "") and "20260629" in done.stderr.replace("-", "")
    assert not (tmp_path / "out").exists() or not transect.sections(tmp_path / "out")


def test_stocks_are_chosen_by_code(panel, tmp_path):
    codes = [code for code, _ in panel.files][5:9]
    (tmp_path / "codes.txt").write_text("\n".join(codes) + "\n")
    for run, given in enumerate([",".join(codes), f"@{tmp_path / 'codes.txt'}"]):
        transect.transpose(panel.store, tmp_path / str(run), "--stocks", given)
        found = transect.sections(tmp_path / str(run))
        rows = transect.by_date(PyArrow().panel([file for file in panel.files if file[0] in codes], panel.date), panel.date)
        for name, expected in rows.items():
            transect.assert_same(expected, pq.ParquetFile(found[name]).read(), name)
        # A date on which none of them trades has no row; whether it has a file is not this test's affair.
        for name in set(found) - set(rows):
            assert pq.ParquetFile(found[name]).metadata.num_rows == 0


def test_another_layout_by_name(panel, tmp_path):
    transect.transpose(panel.store, tmp_path / "out", "--name", "trade_date={date}/data.parquet", "--from", "20260625")
    paths = sorted((tmp_path / "out").glob("trade_date=*/data.parquet"))
    expected = transect.by_date(arrow_panel(panel), panel.date)
    found = [path.parent.name.removeprefix("trade_date=").replace("-", "") for path in paths]
    assert found == [name for name in expected if name >= "20260625"]
    for name, path in zip(found, paths):
        # The path has the date.
        transect.assert_same(expected[name].drop_columns(panel.date), pq.ParquetFile(path).read(), name)


def test_bytes_do_not_depend_on_the_number_of_workers(panel, tmp_path):
    for count in (1, 4):
        transect.build(panel.source, tmp_path / f"store{count}", "--parallel", count)
        transect.transpose(tmp_path / f"store{count}", tmp_path / f"out{count}", "-j", count)
    # A segment's name begins with the random id of its commit.
    for folder, pattern in (("store{}/segment", "*.arrow"), ("out{}", "2*.parquet")):
        one, four = (
            {path.name.split("-")[-1]: path.read_bytes() for path in (tmp_path / folder.format(count)).glob(pattern)}
            for count in (1, 4)
        )
        assert one and one == four


def test_verify_finds_nothing_wrong_and_finds_a_changed_output(panel, out, tmp_path):
    transect.verify(panel.store, "--source", panel.source, "--output", out)
    transect.transpose(panel.store, tmp_path / "out", "--from", "20260625")
    victim = tmp_path / "out" / "20260626.parquet"
    table = pq.read_table(victim)
    assert CODE in table.column_names
    pq.write_table(table.slice(1), victim)
    done = transect.run("verify", panel.store, "--output", tmp_path / "out", "--json", expect=transect.DAMAGED)
    assert "20260626" in (done.stdout.decode() + done.stderr).replace("-", "")
