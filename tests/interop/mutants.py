"""Makes Parquet and Arrow files that lie, from good ones, knowing what their bytes mean.

A Parquet file is taken apart into its footer and its pages, each with header and unpacked body; one to three of these
are changed, and the file is put together again so that all else agrees: offsets, sizes and lengths follow the change,
unless they are what is changed. Everything is drawn from one seed.
"""

import base64
import contextlib
import decimal
import random
import struct

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

# Kinds of Thrift's compact protocol.
TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 12
CODECS = {1: "snappy", 2: "gzip", 4: "brotli", 6: "zstd", 7: "lz4_raw"}
ODD = [0, 1, -1, 2, 7, 127, 128, 255, 2**31 - 1, -(2**31), 2**32, 2**40, 2**63 - 1]


class Reader:
    """Reads Thrift: a struct is a list of [field, kind, value], a list is (kind, [value, ...])."""

    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def varint(self):
        number = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number

    def value(self, kind):
        if kind in (I16, I32, I64):
            number = self.varint()
            return number >> 1 ^ -(number & 1)
        if kind in (TRUE, FALSE):
            return kind == TRUE
        if kind in (BYTE, DOUBLE, BINARY):
            length = {BYTE: 1, DOUBLE: 8}.get(kind) or self.varint() if kind != BINARY else self.varint()
            self.at += length
            return bytes(self.data[self.at - length : self.at])
        if kind == LIST:
            head = self.data[self.at]
            self.at += 1
            count = head >> 4 if head >> 4 < 15 else self.varint()
            return (head & 15, [self.value(head & 15) for _ in range(count)])
        return self.struct()

    def struct(self):
        fields, last = [], 0
        while head := self.data[self.at]:
            self.at += 1
            last = last + (head >> 4) if head >> 4 else self.value(I16)
            fields.append([last, head & 15, self.value(head & 15)])
        self.at += 1
        return fields


def varint(number):
    number &= 2**64 - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out + bytes([number]))


def emit(kind, value):
    if kind in (I16, I32, I64):
        return varint(value << 1 ^ (-1 if value < 0 else 0))
    if kind in (TRUE, FALSE):
        return b""
    if kind == BINARY:
        return varint(len(value)) + value
    if kind == LIST:
        element, values = value
        count = len(values)
        head = bytes([count << 4 | element]) if count < 15 else bytes([0xF0 | element]) + varint(count)
        return head + b"".join(emit(element, value) for value in values)
    if kind == STRUCT:
        out, last = b"", 0
        for field, kind, value in value:
            if kind in (TRUE, FALSE):
                kind = TRUE if value else FALSE
            delta = field - last
            out += bytes([delta << 4 | kind]) if 0 < delta < 16 else bytes([kind]) + emit(I16, field)
            out += emit(kind, value)
            last = field
        return out + b"\0"
    return value


def get(struct, *path):
    """The value at a path of field numbers; None where it is not there."""
    for field in path:
        struct = next((value for number, _, value in struct if number == field), None)
        if struct is None:
            return None
    return struct


def put(struct, field, value):
    for entry in struct:
        if entry[0] == field:
            entry[2] = value


class Page:
    def __init__(self, header, body, codec):
        self.header, self.codec = header, codec
        version_2 = get(header, 8)
        self.plain = sum(get(version_2, field) for field in (5, 6)) if version_2 else 0
        packed = codec and (version_2 is None or get(version_2, 7) is not False)
        self.packed = bool(packed and len(body) > self.plain)
        self.body = bytearray(body)
        if self.packed:
            length = get(header, 2) - self.plain
            unpacked = pa.Codec(codec).decompress(body[self.plain :], length, asbytes=True)
            self.body = bytearray(body[: self.plain] + unpacked)

    def emit(self):
        body = bytes(self.body)
        if self.packed:
            body = body[: self.plain] + pa.Codec(self.codec).compress(body[self.plain :], asbytes=True)
        put(self.header, 2, len(self.body))
        put(self.header, 3, len(body))
        # A page that says what its checksum was is refused for that alone.
        self.header[:] = [entry for entry in self.header if entry[0] != 4]
        return body


class Parquet:
    """A file, taken apart."""

    def __init__(self, data):
        (length,) = struct.unpack("<I", data[-8:-4])
        self.footer = Reader(data, len(data) - 8 - length).struct()
        self.chunks = []
        for group in get(self.footer, 4)[1]:
            for chunk in get(group, 1)[1]:
                meta = get(chunk, 3)
                at = get(meta, 11) or get(meta, 9)
                end, pages = at + get(meta, 7), []
                while at < end:
                    reader = Reader(data, at)
                    header = reader.struct()
                    at = reader.at + get(header, 3)
                    pages.append(Page(header, data[reader.at : at], CODECS.get(get(meta, 4))))
                self.chunks.append((meta, pages))

    def emit(self, rng, changes):
        """The file with these changes: of bodies first, then of headers, then of the footer."""
        out = bytearray(b"PAR1")
        pages = [page for _, pages in self.chunks for page in pages]
        for change in changes:
            if change == "body":
                change_body(rng, rng.choice(pages))
        bodies = {id(page): page.emit() for page in pages}
        for change in changes:
            if change == "header":
                change_tree(rng, rng.choice(pages).header)
        for meta, pages in self.chunks:
            start, data_at = len(out), None
            for page in pages:
                if get(page.header, 1) != 2 and data_at is None:
                    data_at = len(out)
                out += emit(STRUCT, page.header) + bodies[id(page)]
            put(meta, 7, len(out) - start)
            put(meta, 9, data_at if data_at is not None else start)
            put(meta, 11, start)
        for change in changes:
            if change == "footer":
                change_tree(rng, self.footer)
            if change == "schema":
                # A change before this one may have taken away what it looks for.
                with contextlib.suppress(LookupError, StopIteration, TypeError):
                    change_schema(rng, self.footer)
        footer = emit(STRUCT, self.footer)
        out += footer + struct.pack("<I", len(footer)) + b"PAR1"
        if "bytes" in changes:
            change_bytes(rng, out)
        return bytes(out)


def leaves(struct, found):
    """All fields within a struct, with the struct that each is of."""
    for entry in struct:
        found.append((struct, entry))
        if entry[1] == STRUCT:
            leaves(entry[2], found)
        elif entry[1] == LIST and entry[2][0] == STRUCT:
            for element in entry[2][1]:
                leaves(element, found)


def change_tree(rng, tree):
    found = []
    leaves(tree, found)
    owner, entry = rng.choice(found)
    way = rng.random()
    if way < 0.1:
        owner.remove(entry)
    elif way < 0.15 and entry[1] in (I32, I64):
        entry[1] = I32 + I64 - entry[1]
    elif entry[1] in (I16, I32, I64):
        entry[2] = entry[2] + rng.choice([1, -1, 2, 8, -8, 100]) if rng.random() < 0.6 else rng.choice(ODD)
    elif entry[1] in (TRUE, FALSE):
        entry[2] = not entry[2]
    elif entry[1] == BINARY and entry[2]:
        changed = bytearray(entry[2])
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        entry[2] = bytes(changed)
    elif entry[1] == LIST and entry[2][1]:
        values = entry[2][1]
        place = rng.randrange(len(values))
        if rng.random() < 0.5:
            values.pop(place)
        else:
            values.insert(place, rng.choice(values))


def change_schema(rng, footer):
    """A field of a schema's element, of a chunk's sizes, or a byte of the Arrow schema among the notes."""
    way = rng.random()
    if way < 0.6:
        change_tree(rng, rng.choice(get(footer, 2)[1]))
    elif way < 0.8:
        group = rng.choice(get(footer, 4)[1])
        meta = get(rng.choice(get(group, 1)[1]), 3)
        change_tree(rng, get(meta, 16) or meta)
    else:
        note = next(note for note in get(footer, 5)[1] if get(note, 1) == b"ARROW:schema")
        schema = bytearray(base64.b64decode(get(note, 2)))
        place = rng.randrange(8 if rng.random() < 0.5 else len(schema))
        schema[place] ^= 1 << rng.randrange(8)
        put(note, 2, base64.b64encode(schema))


def change_body(rng, page):
    body = page.body
    if not body:
        return
    # Lengths, widths, heads of runs and of deltas are at the front.
    place = rng.randrange(min(len(body), 12)) if rng.random() < 0.6 else rng.randrange(len(body))
    way = rng.random()
    if way < 0.5:
        body[place] ^= 1 << rng.randrange(8)
    elif way < 0.7:
        body[place] = rng.choice([0, 1, 2, 3, 127, 128, 255])
    elif way < 0.8:
        del body[place : place + rng.choice([1, 2, 4, 8])]
    elif way < 0.9:
        body[place:place] = bytes(rng.choice([1, 2, 4, 8]))
    else:
        number = varint(rng.choice(ODD))
        body[place : place + len(number)] = number


def change_bytes(rng, data):
    for _ in range(rng.choice([1, 1, 2, 8])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def parquet(rng, data):
    """One mutant of a good file."""
    kinds = rng.choices(["body", "header", "footer", "schema", "bytes"], [5, 4, 3, 2, 1], k=rng.choice([1, 1, 1, 2, 3]))
    return Parquet(data).emit(rng, kinds)


def arrow(rng, data):
    """One mutant of an Arrow file: words of its messages and footer, which are all numbers and offsets."""
    out = bytearray(data)
    (length,) = struct.unpack("<i", data[-10:-6])
    spans = [(len(data) - 10 - length, len(data) - 6)]
    with pa.ipc.open_file(pa.BufferReader(data)) as file:
        assert file.num_record_batches
    at = 8
    while data[at : at + 4] == b"\xff" * 4:
        (meta,) = struct.unpack("<i", data[at + 4 : at + 8])
        if meta == 0:
            break
        message = pa.ipc.read_message(pa.py_buffer(data[at:]))
        spans.append((at, at + 8 + meta))
        at += 8 + meta + (len(message.body) if message.body is not None else 0)
        at += -at % 8
    for _ in range(rng.choice([1, 1, 1, 2])):
        start, end = rng.choice(spans) if rng.random() < 0.85 else (0, len(data))
        size = rng.choice([1, 2, 4, 8])
        place = rng.randrange(start, end - size + 1)
        if size == 1 or rng.random() < 0.4:
            out[place] ^= 1 << rng.randrange(8)
        else:
            place -= place % size
            number = int.from_bytes(out[place : place + size], "little")
            number = number + rng.choice([1, -1, 2, 8, -8, 64]) if rng.random() < 0.6 else rng.choice(ODD)
            out[place : place + size] = (number & (2 ** (8 * size) - 1)).to_bytes(size, "little")
    return bytes(out)


def seeds():
    """Good files of every codec, encoding and page version, as bytes."""
    rng = random.Random(7)
    rows = 48
    names = ["bank", "steel", "", "Ä", "a longer name than the others"]
    dates = [f"2024{1 + n // 28:02}{1 + n % 28:02}" for n in range(rows)]
    some = lambda make: [None if rng.random() < 0.2 else make() for _ in range(rows)]
    table = pa.table(
        {
            "trade_date": dates,
            "f": some(rng.random),
            "g": pa.array(some(rng.random), pa.float32()),
            "i": some(lambda: rng.randrange(-(2**40), 2**40)),
            "j": pa.array(some(lambda: rng.randrange(100)), pa.int32()),
            "b": some(lambda: rng.random() < 0.5),
            "s": some(lambda: rng.choice(names)),
            "d": pa.array(some(lambda: rng.randrange(20000)), pa.date32()),
            "c": pa.array(range(rows), pa.int64()),
            "z": pa.array([1.5] * rows),
            "p": pa.array(some(lambda: decimal.Decimal(rng.randrange(10**8)).scaleb(-2)), pa.decimal128(9, 2)),
            "q": pa.array(some(lambda: decimal.Decimal(rng.randrange(10**15)).scaleb(-4)), pa.decimal128(20, 4)),
            "t": pa.array(some(lambda: rng.randrange(10**15)), pa.timestamp("us", "UTC")),
            "u": pa.array(some(lambda: rng.randrange(2**16)), pa.uint16()),
        }
    )
    required = table.cast(pa.schema([pa.field(f.name, f.type, f.name not in ("trade_date", "c", "z")) for f in table.schema]))
    delta = {
        "trade_date": "DELTA_BYTE_ARRAY",
        "i": "DELTA_BINARY_PACKED",
        "j": "DELTA_BINARY_PACKED",
        "s": "DELTA_LENGTH_BYTE_ARRAY",
        "c": "DELTA_BINARY_PACKED",
        "f": "BYTE_STREAM_SPLIT",
    }
    split = {"s": "DELTA_BYTE_ARRAY", "i": "BYTE_STREAM_SPLIT", "trade_date": "DELTA_LENGTH_BYTE_ARRAY", "b": "RLE"}
    shapes = [{"use_dictionary": True}, {"use_dictionary": False}]
    shapes += [{"use_dictionary": False, "column_encoding": encoding} for encoding in (delta, split)]
    files = []
    for shape in shapes:
        for version in ("1.0", "2.0"):
            for codec in ("none", "snappy", "gzip", "zstd", "lz4", "brotli"):
                sink = pa.BufferOutputStream()
                group = rng.choice([rows, 20])
                options = {"compression": codec, "data_page_version": version, "row_group_size": group, **shape}
                options["store_decimal_as_integer"] = rng.random() < 0.5
                pq.write_table(rng.choice([table, required]), sink, data_page_size=rng.choice([64, 10**6]), **options)
                files.append(sink.getvalue().to_pybytes())
    return files


def small_seed(decimals_are_integers):
    """A good file of a few columns whose types take words to say, with all that a footer may hold beside them."""
    columns = {
        "trade_date": ["20240102", "20240103"],
        "p": pa.array([decimal.Decimal("1.25"), None], pa.decimal128(9, 2)),
        "u": pa.array([1, 2], pa.uint16()),
        "t": pa.array([1, None], pa.timestamp("us", "UTC")),
        "s": ["a", None],
    }
    sink, sorting = pa.BufferOutputStream(), [pq.SortingColumn(0)]
    options = {"sorting_columns": sorting, "write_page_index": True, "store_decimal_as_integer": decimals_are_integers}
    pq.write_table(pa.table(columns), sink, **options)
    return sink.getvalue().to_pybytes()


def arrow_seeds():
    """Good per-date Arrow files, as bytes."""
    codes = [f"{n:06}.SZ" for n in range(9)]
    columns = {
        "ts_code": codes,
        "f": pa.array([None if n % 4 == 3 else n / 7 for n in range(9)]),
        "i": pa.array(range(9), pa.int64()),
        "b": pa.array([n % 2 == 0 for n in range(9)]),
        "s": pa.array([None if n % 3 == 2 else "steel" * (n % 2) for n in range(9)]),
    }
    table = pa.table(columns)
    files = []
    for table in (table, table.set_column(4, "s", table["s"].dictionary_encode()), table.select(["ts_code", "f", "i", "b", "s"])):
        for rows in (9, 4):
            sink = pa.BufferOutputStream()
            with pa.ipc.new_file(sink, table.schema) as writer:
                writer.write_table(table, max_chunksize=rows)
            files.append(sink.getvalue().to_pybytes())
    return files


def without_notes(data):
    """A file without the pairs of keys and values in its footer."""
    (length,) = struct.unpack("<I", data[-8:-4])
    footer = emit(STRUCT, [entry for entry in Reader(data, len(data) - 8 - length).struct() if entry[0] != 5])
    return data[: -8 - length] + footer + struct.pack("<I", len(footer)) + b"PAR1"


def sweep(data):
    """A good file with each field of its footer left out, or of another value."""
    places = []
    leaves(Parquet(data).footer, places)
    for place in range(len(places)):

        def changed(change):
            file, found = Parquet(data), []
            leaves(file.footer, found)
            change(*found[place])
            return file.emit(random.Random(0), [])

        _, (number, kind, value) = places[place]
        yield changed(lambda owner, entry: owner.remove(entry))
        numbers = [0, -1, 1, 2, 5, 10, 2**31 - 1] if kind in (I16, I32, I64) else []
        values = [bytes([byte]) for byte in (0, 8, 16, 64, 255)] if kind == BYTE else numbers
        values = [not value] if kind in (TRUE, FALSE) else values
        if kind == LIST and value[0] in (I32, I64):
            values = [(value[0], value[1] + [1]), (value[0], value[1][1:])]
        for other in values:
            yield changed(lambda owner, entry: entry.__setitem__(2, other))
