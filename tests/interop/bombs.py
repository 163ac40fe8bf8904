"""Makes small files that would take gigabytes, of many kinds, sizes and codecs, without ever holding what they claim.

Most are put together from a good file of a few rows, taken apart by `mutants`: a run of two bytes is as many rows as its
head says. Each maker takes a path, and is drawn from a seed.
"""

import copy
import functools
import random
import struct

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

import mutants
from mutants import BINARY, I32, I64, LIST, STRUCT, get, put, varint

MIB = 2**20
CODECS = ["none", "snappy", "gzip", "zstd", "lz4", "brotli"]


def dates(rows):
    return pa.array(range(rows), pa.int32()).cast(pa.date32())


def codes(rows):
    return [f"{n:06}" for n in range(rows)]


def write(path, columns, **options):
    pq.write_table(pa.table(columns), path, **options)


# By stock, or by date where `key` is a column of codes.


def long_text(key, rows, length, codec):
    """One long text in many rows."""

    def make(path):
        text = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), ["x" * length])
        columns = {key: dates(rows) if key == "date" else codes(rows), "s": text}
        # Beyond the limit each row would be written out.
        options = {"use_dictionary": ["s"], "dictionary_pagesize_limit": 64 * MIB}
        write(path, columns, compression=codec, **options)

    return make


@functools.cache
def inflated(length, codec):
    """A file of one page of this length."""
    sink = pa.BufferOutputStream()
    table = pa.table({"date": dates(2), "ts_code": codes(2), "s": ["", "x" * length]})
    pq.write_table(table, sink, compression=codec, use_dictionary=False, write_statistics=False)
    return sink.getvalue().to_pybytes()


def inflating(length, codec):
    return lambda path: path.write_bytes(inflated(length, codec))


@functools.cache
def small(codec, version, dictionary=True):
    """Eight equal rows, one of the columns null."""
    sink = pa.BufferOutputStream()
    columns = {"date": pa.array([7] * 8, pa.int32()).cast(pa.date32()), "f": [1.5] * 8, "s": ["steel"] * 8}
    columns |= {"n": pa.array([None] * 8, pa.float64()), "b": [True] * 8, "ts_code": ["A"] * 8}
    options = {"compression": codec, "data_page_version": version, "use_dictionary": dictionary, "write_statistics": False}
    pq.write_table(pa.table(columns), sink, **options)
    return sink.getvalue().to_pybytes()


def counted(file, rows):
    """Has the footer and all pages of a file claim so many rows."""
    put(file.footer, 3, rows)
    for group in get(file.footer, 4)[1]:
        put(group, 3, rows)
    for meta, pages in file.chunks:
        put(meta, 5, rows)
        for page in pages:
            if data := get(page.header, 5):
                put(data, 1, rows)
            if data := get(page.header, 8):
                put(data, 1, rows)
                put(data, 2, rows if get(data, 2) else 0)
                put(data, 3, rows)


def equal_rows(rows, codec, version):
    """Runs of as many rows as their heads say."""

    def make(path):
        file = mutants.Parquet(small(codec, version))
        counted(file, rows)
        run = lambda value: varint(rows << 1) + bytes([value])
        for meta, pages in file.chunks:
            [name] = get(meta, 3)[1]
            levels = run(name != b"n")
            values = {b"n": b"", b"b": struct.pack("<I", len(run(1))) + run(1)}.get(name, b"\1" + run(0))
            for page in pages:
                if data := get(page.header, 5):
                    page.body = bytearray(struct.pack("<I", len(levels)) + levels + values)
                    put(data, 2, 3 if name == b"b" else get(data, 2))
                elif data := get(page.header, 8):
                    page.body, page.plain = bytearray(levels + values), len(levels)
                    put(data, 5, len(levels))
        path.write_bytes(file.emit(random.Random(0), []))

    return make


def row_groups(count, is_empty):
    """A footer of as many row groups."""

    def make(path):
        file = mutants.Parquet(small("none", "1.0"))
        group = get(file.footer, 4)[1][0]
        data = file.emit(random.Random(0), [])
        if is_empty:
            group = copy.deepcopy(group)
            put(group, 3, 0)
            put(group, 1, (STRUCT, []))
        else:
            put(file.footer, 3, 8 * count)
        encoded = mutants.emit(STRUCT, group)
        marked = [[number, kind, (LIST, []) if number == 4 else value] for number, kind, value in file.footer]
        whole = mutants.emit(STRUCT, marked)
        # A list of no elements is its kind with a count of none.
        at = whole.index(bytes([1 << 4 | LIST, LIST]), 40)
        groups = bytes([0xF0 | STRUCT]) + varint(count) + encoded * count
        footer = whole[: at + 1] + groups + whole[at + 2 :]
        body = data[: len(data) - 8 - struct.unpack("<I", data[-8:-4])[0]]
        path.write_bytes(body + footer + struct.pack("<I", len(footer)) + b"PAR1")

    return make


def notes(count, length):
    """A footer of many notes, or of long ones."""

    def make(path):
        file = mutants.Parquet(small("none", "1.0"))
        pairs = [[[1, BINARY, b"k%d" % n], [2, BINARY, b"x" * length]] for n in range(count)]
        file.footer[:] = [entry for entry in file.footer if entry[0] != 5]
        file.footer.insert(4, [5, LIST, (STRUCT, pairs)])
        path.write_bytes(file.emit(random.Random(0), []))

    return make


def columns(count):
    """A footer of many columns without row groups."""

    def make(path):
        element = lambda n: [[1, I32, 5], [3, I32, 1], [4, BINARY, b"c%d" % n]]
        root = [[4, BINARY, b"schema"], [5, I32, count]]
        schema = (STRUCT, [root, *map(element, range(count))])
        footer = [[1, I32, 2], [2, LIST, schema], [3, I64, 0], [4, LIST, (STRUCT, [])]]
        encoded = mutants.emit(STRUCT, footer)
        path.write_bytes(b"PAR1" + encoded + struct.pack("<I", len(encoded)) + b"PAR1")

    return make


def nested(depth):
    """A footer in which a struct holds a struct, and so on."""

    def make(path):
        encoded = bytes([0x1C]) * depth
        path.write_bytes(b"PAR1" + encoded + struct.pack("<I", len(encoded)) + b"PAR1")

    return make


def long_footer(length):
    """A file that has as many bytes, none of which are on the disk."""

    def make(path):
        with open(path, "wb") as file:
            file.write(b"PAR1")
            file.seek(length + 100)
            file.write(length.to_bytes(4, "little") + b"PAR1")

    return make


def replaced(encoding, rows, codec, body, column=b"s"):
    """A column of `rows` rows whose one page is `body` in this encoding; the others are runs."""

    def make(path):
        equal_rows(rows, codec, "1.0")(path)
        file = mutants.Parquet(path.read_bytes())
        for meta, pages in file.chunks:
            if get(meta, 3)[1] != [column]:
                continue
            pages[:] = [page for page in pages if get(page.header, 5)]
            meta[:] = [entry for entry in meta if entry[0] != 11]
            levels = varint(rows << 1) + b"\1"
            put(get(pages[0].header, 5), 2, encoding)
            put(meta, 2, (I32, [3, encoding]))
            pages[0].body = bytearray(struct.pack("<I", len(levels)) + levels + body)
        # `put` adds no field: where the dictionary lies is not said any more.
        path.write_bytes(file.emit(random.Random(0), []))

    return make


def deltas(first, delta, count):
    """So many numbers, each by `delta` more than the one before, in blocks that take no bits."""
    zigzag = lambda number: varint(number << 1 ^ number >> 63)
    block = 2**30
    # More of them than any page may have would only be long.
    blocks = min(-(-max(count - 1, 0) // block), 100)
    return varint(block) + varint(1) + varint(count) + zigzag(first) + (zigzag(delta) + b"\0") * blocks


def growing_prefixes(rows, codec):
    """Each text is the one before and a letter."""
    return replaced(7, rows, codec, deltas(0, 1, rows) + deltas(1, 0, rows) + b"x" * rows)


def long_deltas(rows, length, codec):
    """Each text as long as the header says, and none of it there."""
    return replaced(6, rows, codec, deltas(length, 0, rows) + b"x" * 100)


def many_deltas(rows, claimed, codec):
    """A header that claims more numbers than the page has."""
    return replaced(5, rows, codec, deltas(0, 0, claimed), b"date")


def empty_pages(count):
    """As many pages without a value before the one that counts."""

    def make(path):
        data = small("none", "1.0", False)
        file = mutants.Parquet(data)
        meta, pages = file.chunks[1]
        empty = copy.deepcopy(pages[0])
        put(get(empty.header, 5), 1, 0)
        # No levels, whose length comes first.
        empty.body, empty.packed = bytearray(4), False
        none = empty.emit()
        none = mutants.emit(STRUCT, empty.header) + none
        page = copy.deepcopy(pages[0])
        body = page.emit()
        chunk = none * count + mutants.emit(STRUCT, page.header) + body
        rest = mutants.Parquet(data).emit(random.Random(0), [])
        start = len(rest) - 8 - struct.unpack("<I", rest[-8:-4])[0]
        put(meta, 7, len(chunk))
        put(meta, 9, start)
        put(meta, 11, start)
        encoded = mutants.emit(STRUCT, file.footer)
        path.write_bytes(rest[:start] + chunk + encoded + struct.pack("<I", len(encoded)) + b"PAR1")

    return make


def many_frames(count, codec):
    """A page packed in as many frames of nothing."""

    def make(path):
        file = mutants.Parquet(small("none", "1.0", False))
        meta, pages = next(chunk for chunk in file.chunks if get(chunk[0], 3)[1] == [b"f"])
        frames = pa.Codec(codec).compress(b"", asbytes=True) * count
        body = pages[0].body
        pages[0].body = bytearray(frames + pa.Codec(codec).compress(bytes(body), asbytes=True))
        put(meta, 4, {"gzip": 2, "zstd": 6}[codec])
        data = bytearray(file.emit(random.Random(0), []))
        # The header says how long the page is unpacked, which `emit` took for as long as it is packed.
        right, wrong = mutants.emit(I32, len(body)), mutants.emit(I32, len(pages[0].body))
        at = data.index(wrong, get(meta, 9))
        data[at : at + len(wrong)] = right + b"" if len(right) == len(wrong) else right.ljust(len(wrong), b"\0")
        path.write_bytes(bytes(data))

    return make


def many_columns(count, dictionary, body):
    """As many columns of two rows, of which each first page is as `body` makes it of what it was."""

    def make(path):
        columns = {"date": dates(2)} | {f"s{n}": ["a", "b"] if dictionary else [1.5, 2.5] for n in range(count)}
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(columns), sink, compression="zstd", use_dictionary=dictionary, write_statistics=False)
        file = mutants.Parquet(sink.getvalue().to_pybytes())
        for _, pages in file.chunks[1:]:
            body(pages[0])
        path.write_bytes(file.emit(random.Random(0), []))

    return make


def surplus(count, length):
    """Pages with as many bytes behind their two values."""
    return many_columns(count, False, lambda page: page.body.extend(bytes(length)))


def dictionaries(count, entries):
    """Dictionaries of as many empty texts."""

    def body(page):
        page.body = bytearray(4 * entries)
        put(get(page.header, 7), 1, entries)

    return many_columns(count, True, body)


def group_dictionaries(groups, entries):
    """As many row groups of a row, each with a dictionary of as many empty texts."""

    def make(path):
        sink = pa.BufferOutputStream()
        columns = {"date": dates(1), "s": ["a"]}
        pq.write_table(pa.table(columns), sink, compression="zstd", use_dictionary=["s"], write_statistics=False)
        file = mutants.Parquet(sink.getvalue().to_pybytes())
        [_, (meta, pages)] = file.chunks
        pages[0].body = bytearray(4 * entries)
        put(get(pages[0].header, 7), 1, entries)
        data = mutants.Parquet(file.emit(random.Random(0), []))
        [(day, _), (meta, _)] = data.chunks
        whole = file.emit(random.Random(0), [])
        # Each row group has a copy of both chunks, one after the other.
        start, end = get(day, 9), len(whole) - 8 - struct.unpack("<I", whole[-8:-4])[0]
        chunks = whole[start:end]
        put(data.footer, 3, groups)
        group = get(data.footer, 4)[1][0]
        places = []
        for n in range(groups):
            moved = copy.deepcopy(group)
            for chunk in get(moved, 1)[1]:
                meta = get(chunk, 3)
                for field in (9, 11):
                    if (at := get(meta, field)) is not None:
                        put(meta, field, at + n * len(chunks))
            places.append(moved)
        put(data.footer, 4, (STRUCT, places))
        encoded = mutants.emit(STRUCT, data.footer)
        path.write_bytes(whole[:start] + chunks * groups + encoded + struct.pack("<I", len(encoded)) + b"PAR1")

    return make


def long_headers(rows):
    """As many pages of a row, each with its text as the least and the greatest in its header."""

    def make(path):
        texts = [f"{n:06}" + "x" * 1200 for n in range(rows)]
        options = {"use_dictionary": False, "data_page_size": 1, "write_batch_size": 1}
        write(path, {"date": dates(rows), "s": texts}, compression="zstd", **options)

    return make


def many_dates(rows, count):
    """As many columns on as many dates."""
    return lambda path: write(path, {"date": dates(rows)} | {f"d{n}": pa.array([1.5] * rows) for n in range(count)})


# Arrow files, by date.


def arrow(path, columns):
    table = pa.table(columns)
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)


def arrow_dictionary(rows, length, is_code):
    def make(path):
        texts = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), ["x" * length])
        arrow(path, {"ts_code": texts, "s": codes(rows)} if is_code else {"ts_code": codes(rows), "s": texts})

    return make


def arrow_views(rows, length):
    def make(path):
        text = b"x" * length
        view = struct.pack("<i4sii", len(text), text[:4], 0, 0)
        texts = pa.Array.from_buffers(pa.string_view(), rows, [None, pa.py_buffer(view * rows), pa.py_buffer(text)])
        arrow(path, {"ts_code": codes(rows), "s": texts})

    return make


def arrow_nulls(rows):
    def make(path):
        nulls = pa.Array.from_buffers(pa.null(), rows, [None])
        arrow(path, {"ts_code": nulls, "s": nulls})

    return make


def arrow_large(rows, length):
    def make(path):
        offsets = pa.array(range(0, length * (rows + 1), length), pa.int32()).buffers()[1]
        texts = pa.Array.from_buffers(pa.string(), rows, [None, offsets, pa.py_buffer(b"x" * (length * rows))])
        arrow(path, {"ts_code": codes(rows), "s": texts})

    return make


def arrow_sparse(length):
    """A file of as many bytes, none of which are on the disk."""

    def make(path):
        arrow(path, {"ts_code": ["A"], "s": ["x"]})
        data = path.read_bytes()
        with open(path, "r+b") as file:
            file.seek(length)
            file.write(data[-200:])

    return make


def by_stock(rng):
    """Names and makers of bombs for a stock's file, of every kind."""
    key, codec = "date", lambda: rng.choice(CODECS)
    kinds = {
        "long_text": lambda: (long_text, key, rng.choice([200, 2000, 20_000]), rng.choice([16, 256, 1024]) << 10, codec()),
        "inflating": lambda: (inflating, rng.choice([10, 64, 256, 512]) * MIB - 7, rng.choice(CODECS[1:])),
        "equal_rows": lambda: (
            equal_rows, rng.choice([10**6, 10**7, 10**8, 2**31 - 1]), codec(), rng.choice(["1.0", "2.0"]),
        ),
        "row_groups": lambda: (row_groups, rng.choice([10**3, 10**5, 10**6]), rng.random() < 0.7),
        "notes": lambda: (notes, *rng.choice([(10**5, 8), (1, 10**7), (1, 5 * 10**7), (4, 10**6)])),
        "columns": lambda: (columns, rng.choice([10**3, 10**5, 2 * 10**5])),
        "nested": lambda: (nested, rng.choice([60, 10**4, 10**6])),
        "long_footer": lambda: (long_footer, rng.choice([10**7, 10**9, 2**32 - 1])),
        "growing_prefixes": lambda: (growing_prefixes, rng.choice([300, 10**4, 10**5, 10**6]), codec()),
        "long_deltas": lambda: (long_deltas, rng.choice([8, 10**4]), rng.choice([10**6, 2**31 - 1]), codec()),
        "many_deltas": lambda: (many_deltas, 8, rng.choice([10**6, 2**31 - 1, 2**32, 2**62]), codec()),
        "empty_pages": lambda: (empty_pages, rng.choice([10**3, 10**5, 5 * 10**5])),
        "many_dates": lambda: (many_dates, *rng.choice([(20_000, 150), (300_000, 20), (3000, 1000)])),
        "many_frames": lambda: (many_frames, rng.choice([10**2, 10**5]), rng.choice(["gzip", "zstd"])),
        "surplus": lambda: (surplus, *rng.choice([(50, 12 * MIB), (1000, MIB), (50, 10_000)])),
        "dictionaries": lambda: (
            dictionaries, *rng.choice([(20, 4 * 10**6), (200, 10**6), (1000, 800_000), (500, 10**4)]),
        ),
        "group_dictionaries": lambda: (group_dictionaries, *rng.choice([(300, 10**6), (5000, 800_000), (5000, 10**4)])),
        "long_headers": lambda: (long_headers, rng.choice([500, 1000])),
    }
    return kinds


def by_date(rng):
    """The same for a date's file; Arrow files say so by their name."""
    codec = lambda: rng.choice(CODECS)
    kinds = {
        "long_text": lambda: (long_text, "ts_code", rng.choice([200, 2000, 20_000]), rng.choice([256, 1024]) << 10, codec()),
        "inflating": lambda: (inflating, rng.choice([64, 256]) * MIB - 7, rng.choice(CODECS[1:])),
        "equal_rows": lambda: (equal_rows, rng.choice([10**7, 2**31 - 1]), codec(), rng.choice(["1.0", "2.0"])),
        "growing_prefixes": lambda: (growing_prefixes, rng.choice([10**4, 10**5]), codec()),
        "arrow_dictionary": lambda: (arrow_dictionary, 2000, rng.choice([64, 1024]) << 10, rng.random() < 0.5),
        "arrow_views": lambda: (arrow_views, rng.choice([2000, 20_000]), rng.choice([64, 1024]) << 10),
        "arrow_nulls": lambda: (arrow_nulls, rng.choice([10**7, 2**31 - 2])),
        "arrow_large": lambda: (arrow_large, 10**6, rng.choice([20, 100])),
        "arrow_sparse": lambda: (arrow_sparse, rng.choice([10**8, 2**32])),
    }
    return kinds


def drawn(kinds, rng, count):
    """`count` bombs, each kind in turn: a name that says what each is, and its maker."""
    names = list(kinds)
    for n in range(count):
        make, *sizes = kinds[names[n % len(names)]]()
        yield f"{names[n % len(names)]}({', '.join(map(str, sizes))})", lambda path, make=make, sizes=sizes: make(*sizes)(path)
