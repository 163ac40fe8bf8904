"""How a long run tells what it does."""

from __future__ import annotations

import sys
from collections.abc import Callable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Watch: TypeAlias = Callable[[str, int, int, str], object] | None


class watcher:  # noqa: N801
    """What the run calls with stage, done, total and unit: `progress` itself, or a bar where it is True."""

    def __init__(self, progress: Any) -> None:
        if progress is not None and not isinstance(progress, bool) and not callable(progress):
            raise TypeError(f"progress is True, None or a function, not {progress!r}")
        self._progress = progress

    def __enter__(self) -> Watch:
        if self._progress is True:
            return _bar
        return self._progress or None

    def __exit__(self, *_: object) -> None:
        if self._progress is True:
            print("\r" + " " * 60 + "\r", end="", file=sys.stderr, flush=True)


def _bar(stage: str, done: int, total: int, unit: str) -> None:
    width = 20 * min(done, total) // max(total, 1)
    line = f"{stage:>13} {'#' * width:<20} {done}/{total} {unit}"
    print(f"\r{line:<60}", end="", file=sys.stderr, flush=True)
