"""A panel by date and by stock, in place: sections, series and matrices of a transect store.

>>> import transect
>>> store = transect.open("panel.store")                       # doctest: +SKIP
>>> store.section("2024-01-02").to_polars()                     # doctest: +SKIP
>>> store.series("600519.SH", ["close"]).to_pandas()            # doctest: +SKIP
>>> store.matrix("close").values                                # doctest: +SKIP
"""

from ._change import (
    append,
    build,
    drop_source,
    gc,
    rename_source,
    report,
    restore,
    set_source,
    synth,
    transpose,
    update,
)
from ._column import Column
from ._dates import DateLike
from ._errors import (
    Cancelled,
    Corrupt,
    FormatVersion,
    Guarded,
    Locked,
    NotFound,
    Refused,
    SkippedInputs,
    TransectError,
    Unfinished,
)
from ._frames import Frame, Scan, Section, StockSeries
from ._matrix import Matrix
from ._reports import (
    BuildReport,
    CollectReport,
    CoverageReport,
    DiffReport,
    Report,
    Source,
    StoreInfo,
    SynthReport,
    TransposeReport,
    UpdateReport,
    VerifyReport,
    VersionEntry,
)
from ._schema import Schema
from ._store import Path, Progress, Store, Universe, open  # noqa: A004
from ._transect import __version__
from ._write import add_source, write

__all__ = [
    "BuildReport",
    "Cancelled",
    "CollectReport",
    "Column",
    "Corrupt",
    "CoverageReport",
    "DateLike",
    "DiffReport",
    "FormatVersion",
    "Frame",
    "Guarded",
    "Locked",
    "Matrix",
    "NotFound",
    "Path",
    "Progress",
    "Refused",
    "Report",
    "Scan",
    "Schema",
    "Section",
    "SkippedInputs",
    "Source",
    "StockSeries",
    "Store",
    "StoreInfo",
    "SynthReport",
    "TransectError",
    "TransposeReport",
    "Unfinished",
    "Universe",
    "UpdateReport",
    "VerifyReport",
    "VersionEntry",
    "__version__",
    "add_source",
    "append",
    "build",
    "drop_source",
    "gc",
    "open",
    "rename_source",
    "report",
    "restore",
    "set_source",
    "synth",
    "transpose",
    "update",
    "write",
]

# Where users find them, also in tracebacks.
for _name in __all__:
    _value = globals()[_name]
    if getattr(_value, "__module__", "").startswith(__name__):
        _value.__module__ = __name__
