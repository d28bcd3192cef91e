"""What was found clean is left out the next time, for the one who found it so; nothing else ever is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.detection.unseen import READERS_MAX, Reader, Unseen, target, unseen_of
from sensor.detection.unseen_kernel import LINES_MAX, PieceKind
from sensor.schema import CONTENT
from tests.detection.tables import Pool

REQUEST = (PieceKind.LINE, PieceKind.HEADER, PieceKind.BODY)


def batch(*messages: tuple[bytes, bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Contents and arena of requests: head and body."""
    contents, arena = np.zeros(len(messages), CONTENT), bytearray()
    for content, parts in zip(contents, messages, strict=True):
        for name, octets in zip(("request_head", "request_body"), parts, strict=True):
            content[f"{name}_offset"], content[f"{name}_len"] = len(arena), len(octets)
            arena += octets
    return contents, np.frombuffer(bytes(arena) + b"\0", np.uint8).copy()


def head(*lines: bytes, target: bytes = b"/a") -> bytes:
    return b"\r\n".join((b"GET " + target + b" HTTP/1.1", *lines, b"", b""))


def new(reader: Reader, *messages: tuple[bytes, bytes], dirty: bytes | None = None) -> list[bytes]:
    """What the reader gets of these messages, after which all but what holds `dirty` is clean."""
    contents, arena = batch(*messages)
    pieces = reader.pieces(contents, arena)
    found, marks = [], np.zeros(len(pieces), np.uint8)
    for number in np.flatnonzero(reader.new(pieces)):
        start, length = int(pieces[number]["start"]), int(pieces[number]["length"])
        found.append(arena[start : start + length].tobytes())
        marks[number] = dirty is not None and dirty in found[-1]
    reader.note_clean(pieces, marks)
    return found


def test_what_was_clean_is_not_seen_again() -> None:
    reader = Unseen().reader("one", REQUEST)
    message = (head(b"Host: a.test", b"X-A: 1"), b"{}")
    assert new(reader, message) == [b"GET /a HTTP/1.1", b"Host: a.test", b"X-A: 1", b"{}"]
    assert new(reader, message) == []
    assert new(reader, (head(b"Host: a.test", b"X-A: 2"), b"{}")) == [b"X-A: 2"]


def test_what_was_not_clean_comes_again_and_again() -> None:
    reader = Unseen().reader("one", REQUEST)
    message = (head(b"Host: a.test", b"X-A: <script>"), b"")
    new(reader, message, dirty=b"<script>")
    for _ in range(3):
        assert new(reader, message, dirty=b"<script>") == [b"X-A: <script>"]


def test_a_body_is_clean_only_below_the_same_content_type() -> None:
    reader = Unseen().reader("one", REQUEST)
    new(reader, (head(b"Content-Type: image/png"), b'{"a":"x"}'))
    assert b'{"a":"x"}' in new(reader, (head(b"Content-Type: application/json"), b'{"a":"x"}'))


def test_readers_do_not_vouch_for_each_other() -> None:
    unseen = Unseen()
    one, other = unseen.reader("one", REQUEST), unseen.reader("other", (PieceKind.HEADER,))
    message = (head(b"Host: a.test"), b"")
    assert new(one, message) == [b"GET /a HTTP/1.1", b"Host: a.test"]
    assert new(other, message) == [b"Host: a.test"]
    assert new(one, message) == new(other, message) == []


def test_one_who_looks_for_something_else_sees_everything_again() -> None:
    unseen = Unseen()
    before, after = unseen.reader("one", REQUEST), unseen.reader("one", (PieceKind.HEADER,))
    message = (head(b"Host: a.test"), b"")
    new(before, message)
    assert new(before, message) == []
    assert new(after, message) == [b"Host: a.test"]
    assert new(after, message) == []


def test_a_line_that_changes_with_every_request_does_not_bring_back_the_others() -> None:
    reader = Unseen().reader("one", REQUEST)
    seen = [new(reader, (head(b"Host: a.test", b"X-Request-Id: %d" % i, b"Accept: */*"), b"")) for i in range(99)]
    assert seen[1:] == [[b"X-Request-Id: %d" % i] for i in range(1, 99)]


def test_of_more_lines_than_are_pieces_the_rest_is_one() -> None:
    lines = [b"X-%d: y" % i for i in range(LINES_MAX + 20)]
    found = new(Unseen().reader("one", REQUEST), (head(*lines), b""))
    assert len(found) == LINES_MAX + 1
    assert b"\r\n".join(lines) == b"\r\n".join(found[1:]).rstrip(b"\r\n")


def test_more_pieces_than_fit_at_first_are_all_there() -> None:
    messages = [(head(*(b"X-%d-%d: y" % (i, k) for k in range(40))), b"") for i in range(900)]
    assert len(new(Unseen().reader("one", REQUEST), *messages)) == 900 + 900 * 40


def test_texts_hold_the_chosen_pieces_and_say_where() -> None:
    reader = Unseen().reader("one", REQUEST)
    contents, arena = batch((head(b"Host: a.test", target=b"/x?y=1"), b"body"))
    pieces = reader.pieces(contents, arena)
    (text,) = reader.texts(pieces, arena, np.array([1, 0, 1], np.uint8), targets=True)
    assert text.octets.tobytes() == b"\n/x?y=1\nbody\n"
    assert text.pieces_at(np.array([2, 7, 12])).tolist() == [0, 0, 2]


@given(st.binary(max_size=40))
def test_the_target_of_any_start_line(line: bytes) -> None:
    octets = np.frombuffer(line + b"\0" * 40, np.uint8)
    start, length = target(octets, 0, len(line))
    assert 0 <= start <= start + length <= len(line)
    assert b"HTTP/1.1" not in line[start : start + length] or not line.endswith(b" HTTP/1.1")


@given(st.lists(st.tuples(st.binary(max_size=90), st.binary(max_size=40)), max_size=6))
def test_any_bytes_are_seen_once(messages: list[tuple[bytes, bytes]]) -> None:
    reader = Unseen().reader("one", REQUEST)
    new(reader, *messages)
    assert new(reader, *messages) == []


def test_detectors_of_one_pool_share_a_memory() -> None:
    pool = Pool()
    assert unseen_of(pool) is unseen_of(pool)
    assert unseen_of(pool) is not unseen_of(Pool())


def test_a_ninth_reader_is_refused() -> None:
    unseen = Unseen()
    for i in range(READERS_MAX):
        unseen.reader(str(i), REQUEST)
    assert unseen.reader("3", REQUEST).bit == 8
    with pytest.raises(ValueError, match="at most 8"):
        unseen.reader("ninth", REQUEST)
