"""What may be said beside the data, each of its kind: by name, and as the extension takes it."""

from __future__ import annotations

import datetime
import math
import os
from collections.abc import Callable, Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PATHS = (str, bytes, os.PathLike)


def text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} is a text, not {value!r}")
    return value


def texts(name: str, value: Any) -> list[str]:
    """Some texts, or one."""
    try:
        found = [value] if isinstance(value, str) else None if isinstance(value, Mapping) else list(value)
    except TypeError:
        found = None
    if found is None or not all(isinstance(one, str) for one in found):
        raise TypeError(f"{name} is a list of texts, not {value!r}")
    return found


def named(name: str, of: str, value: Any) -> list[str] | None:
    """Some texts; not one, which is a list of letters."""
    if isinstance(value, str):
        raise TypeError(f"{name} is a list of {of}; write [{value!r}]")
    return None if value is None else texts(name, value)


def path(name: str, value: Any) -> str:
    if not isinstance(value, PATHS):
        raise TypeError(f"{name} is a path, not {value!r}")
    return os.fsdecode(value)


def number(name: str, value: Any) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} is a number, not {value!r}")
    found: int = value.__index__()
    if not 0 <= found < 2**63:
        raise ValueError(f"{name} is a number from 0, not {found}")
    return found


def flag(name: str, value: Any) -> bool:
    # A text may say no, and numpy has truths of its own.
    if isinstance(value, str) or value not in (True, False):
        raise TypeError(f"{name} is True or False, not {value!r}")
    return bool(value)


def amount(name: str, value: Any) -> str:
    """A number or a text, such as of bytes or a share, which the extension reads."""
    return str(value)


def span(name: str, value: Any) -> str | int:
    """A time in words, or in seconds."""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime.timedelta):
        if value < datetime.timedelta():
            raise ValueError(f"{name} is a time from 0, not {value!r}")
        # One that is less than a second is some time, too.
        return math.ceil(value.total_seconds())
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} is a timedelta, a text or a number of seconds, not {value!r}")
    return number(name, value)


def pairs(name: str, value: Any) -> list[str]:
    """A dict of texts, as `{"close": "price"}`."""
    if not isinstance(value, Mapping) or not all(isinstance(one, str) for pair in value.items() for one in pair):
        such = {"casts": '{"volume": "float64"}', "rename": '{"close": "price"}', "key": '{"time": "bar_time"}'}[name]
        raise TypeError(f"{name} is a dict, as {such}, not {value!r}")
    # Where the old name ends is told by the first "=".
    if name == "rename" and (odd := next((one for one in value if "=" in one), None)) is not None:
        raise ValueError(f'rename: {odd!r} has a "=", so that it keeps its name here; write it anew with another')
    return [f"{one}={other}" for one, other in value.items()]


def values(name: str, value: Any) -> dict[str, str]:
    """Values of key columns by the names of those, as texts."""
    if not isinstance(value, Mapping):
        raise TypeError(f'{name} is a dict, as {{"time": "14:55:00"}}, not {value!r}')
    for of, one in value.items():
        if one is None or one != one:
            raise ValueError(f"{name}[{of!r}] is {one!r}; give a value that rows have in {of!r}")
    return {of: str(one) for of, one in value.items()}


# All others are texts.
_KINDS: dict[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(("keep", "last", "live", "threads"), number),
    **dict.fromkeys(("check_content", "date", "drop_time", "dry_run", "force", "ignore_unknown"), flag),
    **dict.fromkeys(("prune", "replace", "reread", "strict"), flag),
    **dict.fromkeys(("memory", "max_restated", "max_skipped", "min_codes"), amount),
    **dict.fromkeys(("keep_for", "older_than", "wait"), span),
    **dict.fromkeys(("calendar", "code_map", "path"), path),
    **dict.fromkeys(("casts", "rename"), pairs),
    **dict.fromkeys(("allow", "columns", "date_column", "dates", "exclude", "ignore", "key", "matrix"), texts),
    **dict.fromkeys(("null", "sources", "stocks"), texts),
    "at": values,
}


def checked(name: str, value: Any, meant: str = "") -> Any:
    """An option as the extension takes it, which may call it otherwise."""
    kind: Callable[[str, Any], Any] = _KINDS.get(meant or name, text)
    return kind(name, value)


def options_of(given: Mapping[str, Any], **meant: str) -> str:
    """Those options that are given, as the extension takes them; `meant` says what it calls some."""
    import json

    found = {name: value for name, value in given.items() if value is not None}
    return json.dumps({meant.get(name, name): checked(name, value, meant.get(name, "")) for name, value in found.items()})
