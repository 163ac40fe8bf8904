"""Columns of every supported type, each with the values that are easily lost on the way."""

import datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa

DAYS = ["20240102", "20240103", "20240104", "20240105"]
CODES = ["000001.SZ", "600000.SH", "BRK.B"]
ROWS = len(DAYS) * len(CODES)

# Not-a-numbers of several kinds, both zeros, infinities, the smallest and the largest.
DOUBLES = [
    0x7FF8000000000000,
    0xFFF8000000000000,
    0x7FF8000000000123,
    0x7FF0000000000001,
    0x0000000000000000,
    0x8000000000000000,
    0x7FF0000000000000,
    0xFFF0000000000000,
    0x0000000000000001,
    0x7FEFFFFFFFFFFFFF,
    0x3FB999999999999A,
]
FLOATS = [
    0x7FC00000,
    0xFFC00000,
    0x7FC00123,
    0x7F800001,
    0x00000000,
    0x80000000,
    0x7F800000,
    0xFF800000,
    0x00000001,
    0x7F7FFFFF,
    0x3DCCCCCD,
]


def from_bits(bits, width):
    """A floating array of these bits, its third value null."""
    values = np.resize(np.array(bits, dtype=f"u{width}"), ROWS).view(f"f{width}")
    buffers = pa.array(values).buffers()
    mask = pa.array([place != 2 for place in range(ROWS)]).buffers()[1]
    kind = pa.float64() if width == 8 else pa.float32()
    return pa.Array.from_buffers(kind, ROWS, [mask, buffers[1]])


def repeated(values, kind):
    """Twelve rows of `values` over and over, the third and the last null."""
    rows = [values[place % len(values)] for place in range(ROWS)]
    rows[2] = rows[-1] = None
    return pa.array(rows, kind)


def integers(kind):
    bits = kind.bit_width
    signed = pa.types.is_signed_integer(kind)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return repeated([low, high, 7, 0, 1, high - 1, low + 1], kind)


def ticks(kind, *values):
    return repeated(list(values), pa.int64()).cast(kind)


def stamps(unit, zone=None):
    # 2024-01-02 15:04:05 and its fraction, the second before the epoch, and days far away.
    scale = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    fraction = {"s": 0, "ms": 678, "us": 678901, "ns": 678901234}[unit]
    values = [1704207845 * scale + fraction, -scale, 0, 4102444800 * scale, -2208988800 * scale + fraction]
    return repeated(values, pa.int64()).cast(pa.timestamp(unit, zone))


TEXT = ["", "a", "平安银行", "line\nbreak", "quote\"'", "NaN", "null", "🂡", "x" * 300, "a\x00b"]
BYTES = [b"", b"\x00", b"\xff\xfe", b"PAR1", b"y" * 300]

COLUMNS = {
    "bool": repeated([True, False, False], pa.bool_()),
    **{str(kind): integers(kind) for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64())},
    **{str(kind): integers(kind) for kind in (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())},
    "dummy": repeated([1], pa.int64()),
    "zero_or_one": repeated([0, 1], pa.int64()),
    "small_int": repeated([-100, 27], pa.int64()),
    "f32": from_bits(FLOATS, 4),
    "f64": from_bits(DOUBLES, 8),
    "whole_f64": repeated([1.0, -0.0, 0.0], pa.float64()),
    "decimal9": repeated([Decimal("1234567.89"), Decimal("-0.01"), Decimal("0.00")], pa.decimal128(9, 2)),
    "decimal18": repeated([Decimal("999999999999999999"), Decimal("-1")], pa.decimal128(18, 0)),
    "decimal38": repeated(
        [Decimal("9999999999999999999999999999.9999999999"), Decimal("-0.0000000001")], pa.decimal128(38, 10)
    ),
    "date32": repeated([datetime.date(1970, 1, 1), datetime.date(1600, 2, 29), datetime.date(9999, 12, 31)], pa.date32()),
    "date64": repeated([datetime.date(2024, 2, 29), datetime.date(1969, 12, 31)], pa.date64()),
    "time32_s": repeated([datetime.time(9, 30), datetime.time(23, 59, 59)], pa.time32("s")),
    "time32_ms": repeated([datetime.time(9, 30, 0, 1000), datetime.time(0)], pa.time32("ms")),
    "time64_us": repeated([datetime.time(9, 30, 0, 1), datetime.time(0)], pa.time64("us")),
    "time64_ns": ticks(pa.time64("ns"), 1, 86_399_999_999_999, 0),
    **{
        f"timestamp_{unit}{'' if zone is None else '_' + zone.replace('/', '_').replace(':', '').replace('+', 'p')}": stamps(unit, zone)
        for unit in ("s", "ms", "us", "ns")
        for zone in (None, "UTC", "Asia/Shanghai", "+08:00")
    },
    "string": repeated(TEXT, pa.string()),
    "large_string": repeated(TEXT, pa.large_string()),
    "string_view": repeated(TEXT, pa.string_view()),
    "dictionary": repeated(TEXT, pa.string()).dictionary_encode(),
    "dictionary_int8": repeated(TEXT, pa.string()).cast(pa.dictionary(pa.int8(), pa.string())),
    "binary": repeated(BYTES, pa.binary()),
    "all_null_f64": pa.nulls(ROWS, pa.float64()),
    "all_null_string": pa.nulls(ROWS, pa.string()),
}


def panel(columns):
    """{code: table} with these columns, stock after stock; the second stock's rows newest first."""
    tables = {}
    for place, code in enumerate(CODES):
        start = place * len(DAYS)
        rows = {"trade_date": pa.array(DAYS)}
        rows |= {name: column.slice(start, len(DAYS)) for name, column in columns.items()}
        tables[code] = pa.table({name: turned(column) for name, column in rows.items()} if place == 1 else rows)
    return tables


def turned(array):
    """An array from its end to its start; `take` knows no string views."""
    rows = [array.slice(place, 1) for place in reversed(range(len(array)))]
    return pa.concat_arrays(rows)
