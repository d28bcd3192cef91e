"""What workers hand over: strings by number, bytes where the board has room, and a count of what finds none."""

from __future__ import annotations

import numpy as np

from sensor.schema import CHUNK, CONTENT, FLOW, TRANSACTION, ChunkKind, ChunkSource, Service
from sensor.structures.string_pool import StringPool
from sensor.workers.exchange_kernel import TEXT, Out, deal, intern_texts, merge, pack

ROWS = 4


class Table:
    """Everything that `pack` fills, small."""

    def __init__(self, texts: int = 16, arena: int = 64) -> None:
        self.rows, self.contents = np.zeros(ROWS, TRANSACTION), np.zeros(ROWS, CONTENT)
        self.arena, self.keys = np.zeros(arena, np.uint8), np.zeros(ROWS, np.int64)
        self.texts, self.text_bytes = np.zeros(texts, TEXT), np.zeros(256, np.uint8)
        self.marks = np.zeros(64, np.int64)
        self.out = np.zeros(len(Out), np.int64)
        self.out[Out.ARENA_END], self.out[Out.TEXTS] = arena, 1
        self.out[Out.TEXTS_END], self.out[Out.TEXT_BYTES_END] = texts, 256

    def take(
        self, pool: StringPool, rows: np.ndarray, contents: np.ndarray, arena: np.ndarray, chunks: np.ndarray
    ) -> None:
        flows = np.zeros(8, FLOW)
        flows["serial"] = np.arange(8) + 1
        places = np.arange(len(chunks)) * 10
        pack(
            rows, contents, arena, pool.tables.entries, pool.tables.bytes, self.marks, chunks, places, len(chunks),
            flows, self.rows, self.contents, self.arena, self.texts, self.text_bytes, self.keys, self.out,
        )  # fmt: skip


def interned(pool: StringPool, *texts: bytes) -> np.ndarray:
    """Codes of texts in a pool."""
    data = np.frombuffer(b"".join(texts), np.uint8).copy()
    table = np.zeros(len(texts), TEXT)
    table["length"] = [len(text) for text in texts]
    table["start"] = np.cumsum([0, *table["length"]])[:-1]
    codes = np.zeros(len(texts), np.uint32)
    intern_texts(pool.tables, table, 0, len(texts), data, codes)
    return codes


def sent(pool: StringPool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Three transactions of flows 2, 1 and 2, with bytes, and the chunks that finished them."""
    get, shop, one = interned(pool, b"GET", b"shop.test", b"/one").tolist()
    rows, contents = np.zeros(3, TRANSACTION), np.zeros(3, CONTENT)
    rows["method"], rows["host"], rows["uri"] = get, shop, [one, 0, one]
    rows["now"], rows["flow"] = [5, 5, 6], [3, 2, 3]
    contents["request_head_offset"], contents["request_head_len"] = [0, 10, 20], 10
    chunks = np.zeros(4, CHUNK)
    chunks["now"], chunks["stream"] = [4, 5, 5, 6], [4, 4, 2, 5]
    return rows, contents, np.arange(64, dtype=np.uint8), chunks


def test_rows_keep_their_texts_their_bytes_and_the_place_of_their_chunk() -> None:
    there, here, table = StringPool(64, 4096), StringPool(64, 4096), Table()
    interned(here, b"something else")  # the same string has another code here
    table.take(there, *sent(there))
    assert table.keys[:3].tolist() == [10, 20, 30]
    codes = np.zeros(len(table.texts), np.uint32)
    intern_texts(here.tables, table.texts, 1, int(table.out[Out.TEXTS]), table.text_bytes, codes)
    rows, contents = np.zeros(3, TRANSACTION), np.zeros(3, CONTENT)
    merge(np.array([1, 0, 2]), table.rows, table.contents, codes, rows, contents)
    texts = [[here.text(int(row[column])) for column in ("method", "host", "uri")] for row in rows]
    assert texts == [["GET", "shop.test", ""], ["GET", "shop.test", "/one"], ["GET", "shop.test", "/one"]]
    kept = [table.arena[each["request_head_offset"] :][: each["request_head_len"]].tolist() for each in contents]
    assert kept == [[*range(10, 20)], [*range(10)], [*range(20, 30)]]
    assert table.out[Out.REJECTED] == 0


def test_what_finds_no_room_is_left_out_and_counted() -> None:
    there = StringPool(64, 4096)
    table = Table(texts=3, arena=15)  # number 0 is the absent string
    table.take(there, *sent(there))
    assert table.rows["uri"][:3].tolist() == [0, 0, 0]
    assert table.rows["host"][:3].all()
    assert table.contents["request_head_len"][:3].tolist() == [10, 0, 0]
    assert table.out[Out.REJECTED] == 4  # a text of two rows, the bytes of two


def test_chunks_are_dealt_by_flow_and_those_that_nobody_reads_to_nobody() -> None:
    chunks, flows = np.zeros(5, CHUNK), np.zeros(8, FLOW)
    chunks["stream"] = [2, 3, 4, 6, 8]  # flows 1, 1, 2, 3, 4
    chunks["offset"], chunks["length"] = [0, 8, 16, 0, 24], [8, 8, 8, 1 << 40, 8]
    chunks["kind"] = [ChunkKind.DATA, ChunkKind.DATA, ChunkKind.DATA, ChunkKind.GAP, ChunkKind.DATA]
    chunks["source"][1:3] = ChunkSource.PAGES, ChunkSource.DATAGRAMS
    flows["service"][4] = Service.NOT_HTTP
    block, datagrams, pages = (np.full(64, fill, np.uint8) for fill in (1, 2, 3))
    dealt, places, counts = np.zeros(8, CHUNK), np.zeros(8, np.int64), np.zeros(2, np.int64)
    payload = np.zeros(24, np.uint8)
    assert deal(chunks, 0, block, datagrams, pages, flows, dealt, places, counts, payload) == 5
    assert counts.tolist() == [1, 3]
    assert places[:1].tolist() + places[4:7].tolist() == [2, 0, 1, 3]
    assert [payload[each["offset"]] for each in (dealt[0], dealt[4], dealt[5])] == [2, 1, 3]
    assert dealt[6]["length"] == 1 << 40  # a gap has no bytes
    short = np.zeros(16, np.uint8)
    assert deal(chunks, 0, block, datagrams, pages, flows, dealt, places, counts, short) == 2
