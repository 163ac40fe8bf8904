"""How a long run tells what it does."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def watcher(progress: Any) -> Iterator[Callable[[str, int, int, str], object] | None]:
    """What the run calls with stage, done, total and unit: `progress` itself, or a bar where it is True."""
    if progress is None or progress is False:
        yield None
    elif progress is True:
        yield _bar
        print("\r" + " " * 60 + "\r", end="", file=sys.stderr, flush=True)
    elif callable(progress):
        yield progress
    else:
        raise TypeError(f"progress is True, None or a function, not {progress!r}")


def _bar(stage: str, done: int, total: int, unit: str) -> None:
    width = 20 * min(done, total) // max(total, 1)
    line = f"{stage:>13} {'#' * width:<20} {done}/{total} {unit}"
    print(f"\r{line:<60}", end="", file=sys.stderr, flush=True)
