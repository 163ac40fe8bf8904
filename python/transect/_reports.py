"""What a change did, as attributes; what stops it, as exceptions."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping

from ._errors import Guarded, SkippedInputs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    _Fields = Mapping[str, Any]
    _AnyReport = TypeVar("_AnyReport", "BuildReport", "UpdateReport")
else:
    _Fields = Mapping


class Report(_Fields):
    """What a run did. Its figures are attributes and items alike; `dict(report)` has them all.

    >>> report = transect.build("features", "panel.store", force=True)
    >>> report.rows == report["rows"] == dict(report)["rows"]
    True
    """

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = {name: _value(name, value) for name, value in fields.items()}

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_fields"][name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no {name!r}") from None

    def __getitem__(self, name: str) -> Any:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._fields]

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={value!r}" for name, value in self._fields.items() if value not in (0, [], None))
        return f"{type(self).__name__}({told})"


class BuildReport(Report):
    """What `build` did.

    >>> report = transect.build("features", "panel.store", force=True)
    >>> report.rows, report.stocks, str(report.first_date), report.skipped
    (11, 3, '2024-01-02', [])
    """

    version: int
    published: bool
    guards: list[Any]
    max_skipped: str | None
    rows: int
    stocks: int
    dates: int
    first_date: datetime.date | None
    last_date: datetime.date | None
    columns: int
    date_form: str
    files: int
    source_bytes: int
    store_bytes: int
    merged_rows: int
    dropped_rows: int
    waiting_rows: int
    empty_files: list[str]
    skipped: list[Any]
    notes: list[str]
    seconds: float


class UpdateReport(Report):
    """What `update` or `append` did, or would do.

    >>> report = transect.update("panel.store")
    >>> report.published, report.unchanged_files
    (False, 3)
    """

    version: int
    published: bool
    dry_run: bool
    restored: int | None
    refused: str | None
    guards: list[Any]
    near: list[Any]
    max_skipped: str | None
    added: int
    restated: int
    filled: int
    removed: int
    kept: int
    kept_examples: list[str]
    waiting_rows: int
    left_out: int
    dirty_dates: int
    first_dirty: datetime.date | None
    last_dirty: datetime.date | None
    columns: list[Any]
    restated_stocks: int
    stocks: list[Any]
    filled_columns: list[Any]
    examples: list[Any]
    new_columns: list[str]
    lost_columns: list[str]
    renamed_columns: list[str]
    widened_columns: list[str]
    absent_columns: list[str]
    new_stocks: int
    read_files: int
    unchanged_files: int
    touched_files: int
    missing_files: list[str]
    pruned_files: list[str]
    empty_files: list[str]
    merged_rows: int
    dropped_rows: int
    skipped: list[Any]
    rows: int
    dates: int
    newest: Any
    written_bytes: int
    removed_versions: list[int]
    notes: list[str]
    seconds: float


class TransposeReport(Report):
    """What `transpose` did.

    >>> report = transect.transpose(store, "by_date")
    >>> report.written, report.rows
    (4, 11)
    """

    version: int
    written: int
    unchanged_files: int
    taken_over: int
    removed_files: int
    left: int
    without_rows: int
    rows: int
    bytes: int
    columns: int
    seconds: float
    notes: list[str]


class CollectReport(Report):
    """What `gc` removed, or would remove.

    >>> transect.gc("panel.store", keep=1).kept_versions
    [1]
    """

    removed_versions: list[int]
    held_versions: list[int]
    kept_versions: list[int]
    removed_files: int
    bytes: int


class VerifyReport(Report):
    """What `Store.verify` read and found; true where nothing is damaged and nothing differs.

    >>> store.verify().damages
    []
    """

    versions: list[int]
    sections: int
    rows: int
    bytes: int
    damages: list[str]
    inputs: list[Any]
    output: Any
    notes: list[str]

    def __bool__(self) -> bool:
        inputs_differ = any(report.difference_count for report in self.inputs)
        output_differs = self.output is not None and bool(self.output.differences)
        return not (self.damages or inputs_differ or output_differs)


class SynthReport(Report):
    """What `synth` wrote.

    >>> transect.synth("made_up", stocks=2, dates=3).files
    2
    """

    files: int
    rows: int
    bytes: int


class StoreInfo(Report):
    """A store in numbers: what `Store.info` gives.

    >>> [(column.name, column.stored) for column in store.info().columns if column.name == "volume"]
    [('volume', 'Int32')]
    """

    version: int
    live_version: int
    kept_versions: list[int]
    keep: int
    keep_for_seconds: int
    created_ns: int
    id: str
    rows: int
    stocks: int
    dates: int
    first_date: datetime.date | None
    last_date: datetime.date | None
    catalog_bytes: int
    segment_bytes: int
    segments: int
    section_bytes: int
    replaced_sections: int
    unused_bytes: int
    columns: list[Any]
    settings: dict[str, Any]
    sources: list[Any]

    @property
    def created(self) -> datetime.datetime:
        """When the version was published, in UTC.

        >>> store.info().created.tzinfo
        datetime.timezone.utc
        """
        return _instant(self.created_ns)


class Source(Report):
    """Where some of a store's rows and columns come from: what `Store.sources` lists. `folder` is None where it was
    made of frames.

    >>> import os
    >>> source = store.sources[0]
    >>> os.path.basename(source.folder), source.read_files
    ('features', 3)
    """

    name: str
    columns: list[str]
    rows: int
    settings: dict[str, Any]
    read_files: int
    empty_files: list[str]
    skipped: list[Any]
    merged_rows: int
    dropped_rows: int

    @property
    def folder(self) -> str | None:
        """Where its files are, or None.

        >>> import os
        >>> os.path.relpath(store.sources[0].folder)
        'features'
        """
        return self.settings.get("source")


class VersionEntry(Report):
    """One version, and what it changed: what `Store.log` lists.

    >>> store.log()[0].command
    'build'
    """

    version: int
    created_ns: int
    command: str
    rows: int
    dates: int
    added: int
    restated: int
    filled: int
    removed: int
    dirty_dates: int
    dirty_stocks: int
    dirty_columns: int

    @property
    def created(self) -> datetime.datetime:
        """When the version was published, in UTC.

        >>> store.log()[-1].created.tzinfo
        datetime.timezone.utc
        """
        return _instant(self.created_ns)


class CoverageReport(Report):
    """What a version has and lacks: what `Store.coverage(by=None)` gives, as `transect coverage --json` prints it.

    >>> coverage = store.coverage(by=None)
    >>> coverage.rows, [(stock.stock, stock.state) for stock in coverage.stocks][-1]
    (11, ('600519.SH', 'stale'))
    """

    version: int
    created_ns: int
    rows: int
    dates: list[Any]
    months: list[Any]
    stocks: list[Any]
    columns: list[Any]
    versions: list[Any]
    sources: list[Any]

    @property
    def created(self) -> datetime.datetime:
        """When the version was published, in UTC.

        >>> store.coverage(by=None).created.tzinfo
        datetime.timezone.utc
        """
        return _instant(self.created_ns)


class DiffReport(Report):
    """A difference of two versions in numbers: what `Store.diff` gives.

    >>> changed = transect.append("panel.store", later)
    >>> diff = store.reload().diff(by=None)
    >>> diff.added, diff.restated, [str(date.date) for date in diff.dates]
    (2, 0, ['2024-01-08'])
    """

    older: int | None
    newer: int
    added: int
    restated: int
    filled: int
    removed: int
    moves: list[Any]
    turns: list[Any]
    stocks: list[Any]
    columns: list[Any]
    dates: list[Any]


def _instant(nanoseconds: int) -> datetime.datetime:
    since = datetime.timedelta(microseconds=nanoseconds // 1000)
    return datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + since


_DATES = {"date", "first_date", "last_date", "first_dirty", "last_dirty", "date_before", "first", "last"}


def _value(name: str, value: Any) -> Any:
    if isinstance(value, dict) and name != "settings":
        return Report(value)
    if isinstance(value, list):
        return [_value("", one) for one in value]
    if name in _DATES and isinstance(value, str):
        from . import _dates

        return _dates.date(_dates.day(value))
    return value


def parsed(report: str) -> Any:
    """What the library tells."""
    import json

    return json.loads(report)


def _of_source(told: Any) -> str:
    """Which source `told` is of, where it says so."""
    return f" of {told['source']}" if "source" in told else ""


def told(skipped: Any) -> str:
    """Why one input was left out, and what helps."""
    return f"{skipped.reason}; {skipped.way_out}" if skipped.way_out else skipped.reason


# Reasons that a message names.
_NAMED = 3


def _reasons(skipped: list[Any]) -> str:
    """Why inputs were left out, the most usual reason first, each with an example and what helps."""
    groups: dict[tuple[str, str | None], list[Any]] = {}
    for one in skipped:
        groups.setdefault((one.kind, one.way_out), []).append(one)
    usual = sorted(groups.values(), key=len, reverse=True)
    named = []
    for group in usual[:_NAMED]:
        such = f"{group[0].path}{_of_source(group[0])}: {told(group[0])}"
        named.append(f"{len(group)} inputs, such as {such}" if len(group) > 1 else such)
    more = [f"and {len(usual) - _NAMED} more reasons"] if len(usual) > _NAMED else []
    return "; ".join(named + more)


def _stopped(guard: Any) -> str:
    """What a guard met. What was left out is told with its reasons, beside."""
    examples = guard.examples if guard.guard != "skipped-files" else []
    such = f", such as {', '.join(examples)}" if examples else ""
    return f"{guard.guard}{_of_source(guard)}: {guard.what}{such}"


def finish(report: _AnyReport, name: str) -> _AnyReport:
    """`report`, unless what it tells of was stopped; inputs that were left out become a warning."""
    met = [guard for guard in report.guards if not guard.allowed]
    refused = report.get("refused")
    if (met or refused) and not report.get("dry_run", False):
        words = [guard.guard for guard in met]
        parts = [_stopped(guard) for guard in met] + ([refused] if refused else [])
        if report.skipped:
            parts.append(f"left out: {_reasons(report.skipped)}")
        ways = [f"allow={words!r}"] if words else []
        ways += ["max_restated=COUNT"] if refused else []
        parts.append(f"if all this is right, {name}(..., {', '.join(ways)})")
        error = Guarded(f"nothing was published: {'; '.join(parts)}")
        error.words, error.report = words, report
        raise error
    if report.skipped:
        count, reasons = len(report.skipped), _reasons(report.skipped)
        many = f"{count} inputs were left out" if count > 1 else "1 input was left out"
        # Of one reason they are counted once.
        all_alike = f"{count} inputs, "
        joint = ", " if count == 1 or reasons.startswith(all_alike) else ": "
        warning = SkippedInputs(f"{many}{joint}{reasons.removeprefix(all_alike)}")
        warning.report = report
        import warnings

        warnings.warn(warning, stacklevel=3)
    return report
