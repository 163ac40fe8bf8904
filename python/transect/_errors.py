"""What goes wrong, by what can be done about it."""

from __future__ import annotations

import builtins

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


class TransectError(Exception):
    """Any error of this package but those of the operating system, which are OSError with errno and filename.

    >>> try:
    ...     transect.open("nothing.store")
    ... except transect.TransectError as error:
    ...     print(type(error).__name__)
    NotFound
    """


class NotFound(TransectError, LookupError):
    """A date, stock, column, version or store that is not there. `kind` says which; `nearest` what is there instead.
    `names` are all that are not there, where several were asked for. A LookupError.

    >>> try:
    ...     store.series("600519.SZ")
    ... except transect.NotFound as error:
    ...     print(error.kind, "-", error.nearest)
    stock - did you mean 600519.SH?
    """

    kind: str = ""
    nearest: str = ""
    names: Sequence[str] = ()

    def __str__(self) -> str:
        return Exception.__str__(self)


class Refused(TransectError, ValueError):
    """A request that contradicts itself, the data or what already exists. The message ends in the way out. A
    ValueError.

    >>> store.matrix("industry")
    Traceback (most recent call last):
    ...
    transect.Refused: column "industry" is Utf8 and cannot be a matrix of Float64; ask for a column of numbers
    """


class Guarded(Refused):
    """A change that looks broken, and was not published. `words` are for `allow=`; `report` says what would change. The
    message has examples, and the usual reasons for which inputs would be left out, with what helps.

    >>> import pathlib
    >>> for name in ["A", "B"]:
    ...     size = pathlib.Path("features", f"{name}.parquet").write_text("no Parquet")
    >>> try:
    ...     transect.build("features", "other.store")
    ... except transect.Guarded as error:
    ...     print(error.words, error.report.published)
    ['skipped-files'] False
    """

    words: list[str] = []
    report: Any = None


class Corrupt(TransectError):
    """Bytes on disk are not what was written, in the file `path`, at `place`.

    >>> import glob, os
    >>> segment = glob.glob("panel.store/segment/*.arrow")[0]
    >>> with open(segment, "r+b") as file:
    ...     at, written = file.seek(0), file.write(bytes(2000))
    >>> try:
    ...     transect.open("panel.store").section(20240102)
    ... except transect.Corrupt as error:
    ...     print(os.path.samefile(error.path, segment))
    True
    """

    path: str = ""
    place: str = ""


class Locked(TransectError):
    """Somebody else writes at `path`: the process `holder`, where it says so. `wait="10m"` waits for it.

    >>> try:
    ...     report = transect.update("panel.store")
    ... except transect.Locked as error:
    ...     print(f"process {error.holder} is at it")
    """

    path: str = ""
    holder: int | None = None


class FormatVersion(TransectError):
    """The file `path` is of a transect with another format; build the store again.

    >>> try:
    ...     store = transect.open("panel.store")
    ... except transect.FormatVersion:
    ...     report = transect.build("features", "panel.store", force=True)
    """

    path: str = ""


class Unfinished(TransectError):
    """A build started at `path` and did not complete; another build begins anew.

    >>> try:
    ...     store = transect.open("panel.store")
    ... except transect.Unfinished:
    ...     report = transect.build("features", "panel.store")
    """

    path: str = ""


class Cancelled(TransectError):
    """The run was stopped otherwise than by Ctrl-C, which is KeyboardInterrupt. `progress` may raise it, or anything
    else, which is raised as it is. Nothing half-written stands under a final name.

    >>> def stop(stage, done, total, unit):
    ...     raise transect.Cancelled("enough")
    >>> transect.build("features", "other.store", progress=stop)
    Traceback (most recent call last):
    ...
    transect.Cancelled: enough
    """


class SkippedInputs(UserWarning):
    """Inputs were left out; `report.skipped` names each with its reason, the message the usual ones. A warning.

    >>> import pathlib, warnings
    >>> size = pathlib.Path("features", "A.parquet").write_text("no Parquet")
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     report = transect.build("features", "other.store", allow=["skipped-files"])
    >>> caught[0].category.__name__, report.skipped[0].path
    ('SkippedInputs', 'A.parquet')
    """

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
