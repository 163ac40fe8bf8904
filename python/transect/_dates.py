"""Dates in the ways in which people have them, as days since 1970."""

from __future__ import annotations

import datetime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, TypeAlias

    import numpy as np

DateLike: TypeAlias = "str | int | datetime.date | np.datetime64"

_EPOCH = datetime.date(1970, 1, 1).toordinal()


# The first and the last date that a store can have.
_FIRST, _LAST = (date.toordinal() - _EPOCH for date in (datetime.date.min, datetime.date.max))


def day(value: Any) -> int:
    """Days since 1970 of 20240102, "2024-01-02", "20240102", a date, a numpy.datetime64 or a pandas.Timestamp."""
    if isinstance(value, datetime.datetime):
        if value != value:
            raise ValueError("NaT is no date; leave it out")
        times = (value.hour, value.minute, value.second, value.microsecond, getattr(value, "nanosecond", 0))
        if any(times):
            raise ValueError(f"{value} has a time of day; give a date")
        return value.date().toordinal() - _EPOCH
    if isinstance(value, datetime.date):
        return value.toordinal() - _EPOCH
    if type(value).__module__ == "numpy" and hasattr(value, "astype"):
        if type(value).__name__ == "datetime64":
            return _day_of_numpy(value)
        value = value.item()
    if isinstance(value, int) and not isinstance(value, bool):
        value = f"{value:08d}"
    if isinstance(value, str):
        digits = value
        if len(value) == 10 and value[4] == value[7] and value[4] in "-/":
            digits = value[:4] + value[5:7] + value[8:]
        if len(digits) == 8 and digits.isascii() and digits.isdigit():
            try:
                return datetime.date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).toordinal() - _EPOCH
            except ValueError:
                pass
        raise ValueError(f"{value!r} is no date; write it as 20240102 or 2024-01-02")
    raise TypeError(f"{value!r} is no date; give 20240102, '2024-01-02', a date, a numpy.datetime64 or a Timestamp")


def _day_of_numpy(value: Any) -> int:
    if value != value:
        raise ValueError("NaT is no date; leave it out")
    # As numpy writes its unit: datetime64[M].
    if str(value.dtype)[11:-1] in ("Y", "M", "W"):
        raise ValueError(f"{value!r} has no day; give a date")
    whole = value.astype("M8[D]")
    if whole != value:
        raise ValueError(f"{value} has a time of day; give a date")
    return _within(int(whole.astype("i8")), value)


def _within(days: int, value: Any) -> int:
    if not _FIRST <= days <= _LAST:
        raise ValueError(f"{value} lies outside the years 1 to 9999")
    return days


def days(values: Iterable[Any]) -> list[int]:
    """As `day`, of each."""
    of: Any = values
    match str(getattr(of, "dtype", "")):
        case "datetime64[D]" if len(of) and of.min() == of.min():
            _within(int(of.min().astype("i8")), of.min())
            _within(int(of.max().astype("i8")), of.max())
            return of.astype("i8").tolist()  # type: ignore[no-any-return]
        case "Date" if not of.null_count():
            # A series of Polars.
            return of.to_physical().to_list()  # type: ignore[no-any-return]
    return [day(value) for value in values]


def maybe_day(value: Any) -> int | None:
    """As `day`; None stays."""
    return None if value is None else day(value)


def date(days: int) -> datetime.date:
    """The date so many days after 1970."""
    return datetime.date.fromordinal(days + _EPOCH)


def array(buffer: Any) -> np.ndarray:
    """Days as datetime64[D]."""
    import numpy as np

    return np.frombuffer(buffer, dtype="<i4").astype("M8[D]")


def instant(value: Any) -> int:
    """Nanoseconds since 1970. A date means its end, a naive time is local."""
    from . import _transect

    if isinstance(value, datetime.datetime):
        aware = value if value.tzinfo is not None else value.astimezone()
        since = aware - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
        return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000
    if isinstance(value, datetime.date):
        value = value.isoformat()
    return _transect.instant(value)
