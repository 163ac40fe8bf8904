"""What goes wrong, by what can be done about it."""

from __future__ import annotations

import builtins
from typing import Any


class TransectError(Exception):
    """Any error of this package but those of the operating system, which are OSError."""


class NotFound(TransectError, LookupError):
    """A date, stock, column or version that is not there. `kind` says which; `nearest` what is there instead."""

    kind: str = ""
    nearest: str = ""

    __str__ = Exception.__str__


class Refused(TransectError, ValueError):
    """A request that contradicts itself, the data or what already exists. The message ends in the way out."""


class Guarded(Refused):
    """A change that looks broken, and was not published. `words` are for `allow=`; `report` says what would change."""

    words: list[str] = []
    report: Any = None


class Corrupt(TransectError):
    """Bytes on disk are not what was written, in the file `path`, at `place`."""

    path: str = ""
    place: str = ""


class Locked(TransectError):
    """Somebody else writes at `path`: the process `holder`, where it says so."""

    path: str = ""
    holder: int | None = None


class FormatVersion(TransectError):
    """The file `path` is of a transect with another format."""

    path: str = ""


class Unfinished(TransectError):
    """A build started at `path` and did not complete."""

    path: str = ""


class Cancelled(TransectError):
    """The run was stopped. Nothing half-written stands under a final name."""


class SkippedInputs(UserWarning):
    """Inputs were left out; `report.skipped` names each with its reason."""

    report: Any = None


_KINDS: dict[str, type[TransectError]] = {
    "not-found": NotFound,
    "not-a-store": NotFound,
    "invalid": Refused,
    "refused": Refused,
    "inputs": Refused,
    "damaged": Corrupt,
    "locked": Locked,
    "wrong-version": FormatVersion,
    "unfinished": Unfinished,
    "interrupted": Cancelled,
}


def made(kind: str, message: str, fields: dict[str, Any]) -> BaseException:
    """The exception for an error of this kind; called by the extension."""
    if "path" in fields:
        fields["path"] = str(fields["path"])
    if kind == "io" and fields.get("errno"):
        return builtins.OSError(fields["errno"], message, fields["path"])
    if kind == "not-a-store":
        fields["kind"] = "store"
    error = _KINDS.get(kind, TransectError)(message)
    for name, value in fields.items():
        setattr(error, name, value)
    return error
