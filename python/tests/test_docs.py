"""Every public name says what it is, by an example that runs."""

import doctest
import inspect

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import transect
import transect.dask
import transect.tasks
from transect._xarray import TransectBackend

DATES = ["20240102", "20240103", "20240104", "20240105"]
PANEL = {
    "000001.SZ": ([9.21, 9.20, 9.11, 9.27], [1158366, 733610, 864193, 1199115], [True, True, True, True], "Banks"),
    "600000.SH": ([6.63, 6.61, 6.63, 6.67], [2000000, None, 1000000, 1010000], [False, False, True, True], "Banks"),
    "600519.SH": ([1685.01, 1694.0, 1669.0], [3215644, 2022929, 2155107], [False, False, False], "Liquor"),
}
CLASSES = {name: value for name, value in vars(transect).items() if inspect.isclass(value)}
FUNCTIONS = {name: value for name, value in vars(transect).items() if inspect.isfunction(value)}


def members(kind):
    """The public methods and properties that a class defines itself."""
    return {
        name: value
        for name, value in vars(kind).items()
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, property))
    }


EXAMPLES = {
    **{name: value for name, value in (CLASSES | FUNCTIONS).items() if name in transect.__all__},
    **{f"{name}.{of}": value for name, kind in CLASSES.items() for of, value in members(kind).items()},
    **{f"{module.__name__[9:]}.{name}": getattr(module, name)
       for module in (transect.tasks, transect.dask) for name in module.__all__},
    "xarray.open_dataset": TransectBackend,
}


@pytest.fixture
def panel(tmp_path, monkeypatch):
    """The folder and the store that the examples are about, in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "features").mkdir()
    for code, (close, volume, member, industry) in PANEL.items():
        table = {
            "trade_date": DATES[: len(close)],
            "close": close,
            "volume": pa.array(volume, pa.int64()),
            "is_member": member,
            "industry": [industry] * len(close),
        }
        pq.write_table(pa.table(table), tmp_path / "features" / f"{code}.parquet")
    transect.build("features", "panel.store")
    later = pa.table(
        {
            "ts_code": ["000001.SZ", "600519.SH"],
            "trade_date": ["20240108"] * 2,
            "close": [9.15, 1643.99],
            "volume": [1121156, 2558620],
            "is_member": [True, False],
            "industry": ["Banks", "Liquor"],
        }
    )
    return {"transect": transect, "store": transect.open("panel.store"), "later": later}


@pytest.fixture(scope="module")
def client():
    """A Dask cluster within this process."""
    distributed = pytest.importorskip("distributed")
    with distributed.Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None) as client:
        yield client


@pytest.mark.parametrize("name", EXAMPLES)
def test_documentation_is_there_and_its_examples_run(panel, name, request):
    if name.startswith("dask."):
        panel["client"] = request.getfixturevalue("client")
    value = EXAMPLES[name]
    value = value.fget if isinstance(value, property) else value
    assert value.__doc__, f"{name} says nothing of itself"
    examples = doctest.DocTestParser().get_doctest(value.__doc__, dict(panel), name, None, 0)
    told = []
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    doctest.DocTestRunner(optionflags=options).run(examples, out=told.append)
    assert not told, "".join(told)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_public_name_has_an_example(name):
    value = EXAMPLES[name]
    assert ">>> " in (value.fget if isinstance(value, property) else value).__doc__


def test_all_public_names_are_listed():
    public = {name for name in CLASSES | FUNCTIONS if not name.startswith("_")}
    assert public <= set(transect.__all__)


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        (transect.BuildReport, lambda: transect.build("features", "panel.store", force=True)),
        (transect.UpdateReport, lambda: transect.update("panel.store")),
        (transect.TransposeReport, lambda: transect.transpose("panel.store", "by_date")),
        (transect.CollectReport, lambda: transect.gc("panel.store")),
        (transect.VerifyReport, lambda: transect.open("panel.store").verify()),
        (transect.SynthReport, lambda: transect.synth("made_up", stocks=2, dates=3)),
        (transect.StoreInfo, lambda: transect.open("panel.store").info()),
        (transect.CoverageReport, lambda: transect.open("panel.store").coverage(by=None)),
    ],
)
def test_reports_have_what_their_classes_declare(panel, kind, make):
    assert list(kind.__annotations__) == list(make())


def test_entries_and_diffs_have_what_their_classes_declare(panel):
    transect.append("panel.store", panel["later"])
    store = transect.open("panel.store")
    assert list(transect.DiffReport.__annotations__) == list(store.diff(by=None))
    assert set(store.log()[-1]) <= set(transect.VersionEntry.__annotations__)
