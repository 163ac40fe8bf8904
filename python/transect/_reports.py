"""What a change did, as attributes; what stops it, as exceptions."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from ._errors import Guarded, SkippedInputs


class Report(Mapping[str, Any]):
    """What a run did. Its figures are attributes and items alike: `report.rows`, `report["rows"]`."""

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
    """What `build` did."""


class UpdateReport(Report):
    """What `update` or `append` did, or would do."""


class TransposeReport(Report):
    """What `transpose` did."""


class CollectReport(Report):
    """What `gc` removed, or would remove."""


class VerifyReport(Report):
    """What `Store.verify` read and found; true where nothing is damaged."""

    def __bool__(self) -> bool:
        return not self.damages


class SynthReport(Report):
    """What `synth` wrote."""


class StoreInfo(Report):
    """A store in numbers."""


class VersionEntry(Report):
    """One version, and what it changed."""


class DiffReport(Report):
    """A difference of two versions in numbers."""


_DATES = {"date", "first_date", "last_date", "first_dirty", "last_dirty"}


def _value(name: str, value: Any) -> Any:
    if isinstance(value, dict) and name != "settings":
        return Report(value)
    if isinstance(value, list):
        return [_value("", one) for one in value]
    if name in _DATES and isinstance(value, str):
        from . import _dates

        return _dates.date(_dates.day(value))
    return value


def finish(report: Any, name: str) -> Any:
    """`report`, unless what it tells of was stopped; inputs that were left out become a warning."""
    met = [guard for guard in report.guards if not guard.allowed]
    refused = report.get("refused")
    if (met or refused) and not report.get("dry_run", False):
        words = [guard.guard for guard in met]
        reasons = [f"{guard.guard}: {guard.what}" for guard in met] + ([refused] if refused else [])
        way_out = f"; if all this is right, {name}(..., allow={words!r})" if words else ""
        error = Guarded(f"nothing was published: {'; '.join(reasons)}{way_out}")
        error.words, error.report = words, report
        raise error
    if report.skipped:
        first = report.skipped[0]
        warning = SkippedInputs(
            f"{len(report.skipped)} inputs were left out, such as {first.path}, which {first.reason}"
        )
        warning.report = report
        warnings.warn(warning, stacklevel=3)
    return report
