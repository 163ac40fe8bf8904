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
# As many days before 1970 or after it do 64 bits of nanoseconds reach, and one more to spare for zones.
_REACH = 2**63 // (86_400 * 10**9) - 1


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
    value = _scalar(value)
    if type(value).__name__ == "datetime64":
        return _day_of_numpy(value)
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


def _scalar(value: Any) -> Any:
    """What an array without dimensions has; numbers and texts of numpy as those of Python."""
    if getattr(value, "shape", None) != () or not hasattr(value, "__array__"):
        return value
    array = value.__array__()
    return array[()] if array.dtype.kind in "Mm" else array.item()


def _day_of_numpy(value: Any) -> int:
    if value != value:
        raise ValueError("NaT is no date; leave it out")
    _unit(value)
    whole = value.astype("M8[D]")
    if whole != value:
        raise ValueError(f"{value} has a time of day; give a date")
    return _within(int(whole.astype("i8")), value)


def _unit(value: Any) -> str:
    """That of a datetime64, as numpy writes it: datetime64[us]."""
    unit = str(value.dtype)[11:-1]
    if unit in ("Y", "M", "W"):
        raise ValueError(f"{value!r} has no day; give a date")
    return unit


def _beyond(days: int) -> int:
    """An instant before all versions, or after them."""
    return 2**63 - 1 if days > 0 else -(2**63)


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


def listed(values: Any) -> list[Any]:
    """Some dates; not one of them."""
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        raise TypeError(f"dates is a list of dates; write [{values!r}]")
    return list(values)


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
    """Nanoseconds since 1970 of a time in any of the ways of a date, or with a time of day. A date means its end, a
    naive time is local."""
    from . import _transect

    value = _scalar(value)
    if isinstance(value, datetime.datetime):
        return _instant_of(value)
    if isinstance(value, datetime.date):
        value = value.isoformat()
    elif type(value).__name__ == "datetime64":
        if value != value:
            raise ValueError("NaT is no time; leave it out")
        unit = _unit(value)
        if abs(days := int(value.astype("M8[D]").astype("i8"))) > _REACH:
            return _beyond(days)
        value = str(value if unit == "D" else value.astype("M8[ns]"))
    if isinstance(value, int) and not isinstance(value, bool):
        value = f"{value:08d}"
    if not isinstance(value, str):
        ways = "'2024-01-02', '2024-01-02T15:04', 20240102, a date, a datetime, a numpy.datetime64 or a Timestamp"
        raise TypeError(f"{value!r} is no time; give {ways}")
    return _transect.instant(value)


def _instant_of(value: datetime.datetime) -> int:
    if value != value:
        raise ValueError("NaT is no time; leave it out")
    since = value.replace(tzinfo=None) - datetime.datetime(1970, 1, 1)
    if abs(since.days) > _REACH:
        return _beyond(since.days)
    # A Timestamp of pandas knows no clocks of this place; where an hour comes twice, `fold` says which is meant.
    is_aware = value.tzinfo is not None
    zoned = value if is_aware else datetime.datetime(*value.timetuple()[:6], fold=value.fold).astimezone()
    since -= zoned.utcoffset() or datetime.timedelta()
    # A Timestamp has more digits.
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000 + getattr(since, "nanoseconds", 0)
