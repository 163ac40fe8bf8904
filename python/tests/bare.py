"""What works with nothing else installed, and then says what it lacks: run by tools/check."""

import importlib.util
import pathlib
import sys

import transect

FRAMES = ("numpy", "pandas", "polars", "pyarrow", "xarray")

panel = pathlib.Path(sys.argv[1])
assert not [name for name in FRAMES if importlib.util.find_spec(name)]
transect.synth(panel / "features", stocks=3, dates=5)
report = transect.build(panel / "features", panel / "panel.store")
store = transect.open(panel / "panel.store")
code = store.stocks[0]
assert len(store) == report.rows and store.verify(inputs=True)
assert len(store.series(code)) > 0 and len(store.scan(stocks=[code])) == len(store.series(code))
assert transect.transpose(store, panel / "by_date").written == report.dates
assert not transect.update(store).published and [entry.command for entry in store.log()] == ["build"]
assert store.section(report.last_date)["size"].null_count >= 0
for lacking in (lambda: store.dates, lambda: store.section(report.last_date).to_pandas()):
    try:
        lacking()
    except ModuleNotFoundError as error:
        assert error.name in FRAMES
    else:
        raise AssertionError("a package that is not there was found")
print(report)
