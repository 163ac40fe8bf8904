"""A small panel with what is awkward: nulls, NaN with a payload, -0.0, infinities, decimals, zones, categories."""

import signal
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import transect

PAYLOAD = struct.unpack("<d", bytes.fromhex("341200000000f87f"))[0]
DATES = ["20231229", "20240102", "20240103", "20240104"]


def rows(code, at):
    """The rows of one stock; the `at`-th lacks the last `at` dates."""
    dates = DATES[: len(DATES) - at]
    count = len(dates)
    every = range(count)
    return pa.table(
        {
            "trade_date": dates,
            "close": pa.array([10.0 * at + day for day in every]),
            "odd": pa.array(np.array([PAYLOAD, -0.0, np.inf, -np.inf])[:count]),
            "holes": pa.array([None if day == 1 else day / 2 for day in every], pa.float64()),
            "volume": pa.array([None if day == 2 else 2**40 + day for day in every], pa.int64()),
            "lots": pa.array([day + 1 for day in every], pa.int32()),
            "halted": pa.array([day == at for day in every]),
            "price": pa.array([None if day == 0 else day for day in every], pa.decimal128(12, 4)),
            "seen": pa.array([1_700_000_000_000_000 + day for day in every], pa.timestamp("us", "Asia/Shanghai")),
            "name": pa.array([f"{code} {day % 2}" for day in every]).dictionary_encode(),
        }
    )


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("panel") / "features"
    folder.mkdir()
    for at, code in enumerate(["000001.SZ", "600000.SH", "BRK.B"]):
        pq.write_table(rows(code, at), folder / f"{code}.parquet")
    return folder


@pytest.fixture(scope="session")
def path(source):
    store = source.parent / "panel.store"
    transect.build(source, store)
    return store


@pytest.fixture
def store(path):
    return transect.open(path)


@pytest.fixture
def own(source, tmp_path):
    """A store that a test may change."""
    store = tmp_path / "own.store"
    transect.build(source, store)
    return store


@pytest.fixture
def interruptible():
    """Ctrl-C raises KeyboardInterrupt, also where whoever started the tests ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
