"""Objects never given: where all read what lists and creations named, who reads others is found."""

from __future__ import annotations

import gzip
import json
import random
import re
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor._jit import Bytes, U64s, kernel
from sensor.alert import Severity, State
from sensor.config import NeverGivenSettings, Settings
from sensor.detection.detectors.never_given_ids_kernel import (
    BLOCK,
    HALF_WORDS,
    SHAPES,
    is_noted,
    note_words,
    shape_of,
)
from sensor.detection.stage import DetectionStage
from sensor.pipeline import Pipeline
from sensor.schema import ContentFlag
from sensor.structures.hashing import hash_bytes
from tests.detection.exchanges import packets
from tests.detection.messages import Talk
from tests.detection.tables import alone, features_of
from tests.traffic import Packet, write_pcap

DAY = 86_400
THIEF = 0xBAD


class Shop(Talk):
    """Customers who list their orders and read some of them."""

    def __init__(self, customers: int = 12, orders: int = 8, cut: int | None = None) -> None:
        super().__init__()
        self.random = random.Random(7)
        for who in range(customers):
            mine = [self.id(who, number) for number in range(orders)]
            self.list(who, 10 * who, mine, cut=cut)
            for turn, order in enumerate(self.random.sample(mine, 6)):
                self.read(who, 10 * who + 1 + turn, order)

    def id(self, who: int, number: int) -> str:
        return str(100_000 + 1_000 * who + number)

    def call(self, who: int, seconds: float, target: str, endpoint: str, answer: bytes, **given: Any) -> None:
        values = {"uri": target, "endpoint": endpoint, "user": 0x1000 + who, "subject": 0x1000 + who} | given
        self.say(seconds, target, answer=answer, client=f"10.0.{who % 250}.7", **values)

    def list(self, who: int, seconds: float, ids: list[str], cut: int | None = None, **given: Any) -> None:
        answer = json.dumps([{"id": int(one) if one.isdigit() else one, "price": 12.5} for one in ids]).encode()
        self.call(who, seconds, "/orders?page=1", "/orders", answer, records=len(ids), **given)
        if cut is not None:
            self.cut(cut)

    def cut(self, kept: int) -> None:
        """Of the last answer only so many bytes were kept."""
        head, body, answer_head, answer = self.bytes[-1]
        self.bytes[-1] = head, body, answer_head, answer[:kept]
        self.flags[-1] |= ContentFlag.RESPONSE_CUT

    def read(self, who: int, seconds: float, order: str, status: int = 200, **given: Any) -> None:
        endpoint = "/orders/{uuid}" if len(order) == 36 else "/orders/{id}"
        values = {"object_id": 1, "records": 1, "status_code": status} | given
        self.call(who, seconds, f"/orders/{order}", endpoint, b'{"total": 3, "note": "as agreed"}', **values)

    def steal(self, count: int = 30, begin: float = 500, gap: float = 1.0, who: int = THIEF, **given: Any) -> None:
        for number in range(count):
            self.read(who, begin + gap * number, self.id(number % 12, 500 + number), **given)

    def found(self, batch: int = 1 << 30, **settings: Any) -> list[Any]:
        order = sorted(range(len(self.rows)), key=lambda i: int(self.rows[i]["ts"][0]))
        for name in ("rows", "bytes", "flags"):
            setattr(self, name, [getattr(self, name)[i] for i in order])
        self.stage = DetectionStage(alone(never_given=NeverGivenSettings(**settings)), self.pool)
        return self.detections(self.stage, batch)


def entities(found: list[Any]) -> set[str]:
    return {one.entity.value for one in found}


THE_THIEF = {f"{0x1000 + THIEF:016x}"}


def test_who_reads_what_no_answer_gave_to_him():
    shop = Shop()
    shop.steal()
    found = shop.found()
    assert entities(found) == THE_THIEF
    first = found[0]
    assert (first.rule.id, first.numbers.observed, first.numbers.threshold) == ("objects-never-given", 20, 20)
    assert first.details["others"] == first.details["others_who_read_what_they_were_given"] == 12


def test_a_hundred_are_of_high_severity():
    shop = Shop()
    shop.steal(110)
    assert [one.severity for one in shop.found()][-1] == Severity.HIGH


@pytest.mark.parametrize("gap", [0.1, 60.0, 1_200.0])
def test_at_any_pace(gap):
    shop = Shop()
    shop.steal(60, gap=gap)
    assert entities(shop.found()) == THE_THIEF


def test_who_reads_as_much_of_what_a_list_gave_is_quiet():
    shop = Shop()
    ids = [shop.id(number % 12, 500 + number) for number in range(60)]
    shop.list(THIEF, 400, ids)
    shop.steal(60)
    assert shop.found() == []


def test_uuids_links_and_locations_give_as_well():
    shop = Shop()
    chance = random.Random(1)
    for who in range(12):
        ids = [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(8)]
        links = b", ".join(b'{"href": "https://api.test/orders/%s?full=1"}' % one.encode() for one in ids[:4])
        shop.call(who, 300 + who, "/search", "/search", b"[" + links + b"]", records=4)
        for one in ids[4:]:
            head = b"HTTP/1.1 201 Created\r\nLocation: /orders/" + one.encode() + b"\r\n\r\n"
            shop.call(who, 310 + who, "/orders", "/orders", b"", answer_head=head, status_code=201)
        for one in ids:
            shop.read(who, 320 + who, one)
    assert shop.found() == []
    for _ in range(30):
        one = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        shop.read(THIEF, 500, one)
    assert entities(shop.found()) == THE_THIEF


def test_an_endpoint_whose_ids_come_from_elsewhere_is_silent():
    """Most read ids that nobody gave to them: the one who reads most of them is no thief."""
    shop = Shop(customers=0)
    for who in range(40):
        for number in range(6):
            shop.read(who, 10 * who + number, shop.id(who, number))
    shop.steal(100)
    assert shop.found() == []


@pytest.mark.parametrize("customers", [3, 7])
def test_too_few_others_are_silent(customers):
    shop = Shop(customers=customers)
    shop.steal()
    assert shop.found() == []


def test_several_who_do_alike_are_a_role():
    shop = Shop(customers=100)
    for agent in range(4):
        shop.steal(30, begin=2_000 + 100 * agent, who=200 + agent)
    shop.steal(60, begin=3_000, who=210)
    told = entities(shop.found())
    assert told == {f"{0x1000 + 200 + agent:016x}" for agent in range(3)}  # when they did, nobody else had


def test_but_who_was_faithful_the_day_before_is_not_of_it():
    shop = Shop(customers=100)
    for day in range(2):
        for agent in range(4):
            shop.steal(30, begin=2_000 + DAY * day + 100 * agent, who=200 + agent)
    ids = [shop.id(50, 100 + number) for number in range(20)]
    shop.list(THIEF, 1_500, ids)
    for number, one in enumerate(ids):
        shop.read(THIEF, 1_510 + number, one)
    shop.steal(60, begin=3_000 + DAY)
    assert entities(shop.found()) >= THE_THIEF


def test_another_role_is_compared_with_its_own():
    """One support agent among customers, whose token names another role."""
    shop = Shop()
    shop.steal(200, role=77)
    assert shop.found() == []


@pytest.mark.parametrize("how", ["cut", "lost", "left out", "coded"])
def test_lists_that_were_not_seen_whole_make_silent(how):
    shop = Shop()
    ids = [shop.id(number % 12, 500 + number) for number in range(60)]
    flags = {"lost": ContentFlag.RESPONSE_GAP, "coded": ContentFlag.RESPONSE_CODED}.get(how, 0)
    shop.list(THIEF, 400, ids, cut={"cut": 200, "left out": 0}.get(how), content_flags=flags)
    if flags:
        head, body, answer_head, _ = shop.bytes[-1]
        shop.bytes[-1] = head, body, answer_head, b""
    shop.steal(60)
    assert shop.found() == []


def test_a_picture_that_was_not_kept_hides_nobody():
    shop = Shop()
    shop.call(THIEF, 400, "/logo", "/logo", b"\x89PNG" * 50, response_content_type="image/png")
    shop.cut(0)
    shop.steal()
    assert entities(shop.found()) == THE_THIEF


def test_nothing_is_said_without_contents():
    shop = Shop()
    shop.steal()
    shop.bytes = [(b"", b"", b"", b"")] * len(shop.bytes)
    assert shop.found() == []


def test_refused_reads_and_addresses_alone_do_not_count():
    shop = Shop()
    shop.steal(40, status=404)
    shop.steal(40, begin=600, user=0, subject=0)
    assert shop.found() == []


def test_the_same_objects_again_and_again_are_quiet():
    shop = Shop()
    for turn in range(10):
        shop.steal(15, begin=500 + 20 * turn)
    assert shop.found() == []


def test_what_one_steals_gives_him_nothing():
    """Answers to reads of ids that were not given name further ids: following them does not make a thief faithful."""
    shop = Shop()
    for number in range(40):
        following = json.dumps({"id": 600_000 + number, "next": 600_001 + number}).encode()
        shop.read(THIEF, 500 + number, str(600_000 + number))
        shop.bytes[-1] = (*shop.bytes[-1][:3], following)
    assert entities(shop.found()) == THE_THIEF


def test_a_thief_does_not_make_the_endpoint_another():
    """Many reads of one identity are one vote."""
    shop = Shop(customers=20)
    shop.steal(400, begin=0, gap=0.5)
    shop.steal(60, begin=400)
    assert entities(shop.found()) == THE_THIEF


def test_full_filters_are_silent():
    shop = Shop()
    for page in range(40):
        shop.list(THIEF, 300 + page, [shop.id(100, 50 * page + number) for number in range(50)])
    shop.steal(60)
    assert shop.found() == []


@pytest.mark.parametrize("batch", [1, 17])
def test_batches_make_no_difference(batch):
    def made() -> Shop:
        shop = Shop()
        shop.steal(60)
        return shop

    assert made().found(batch) == made().found()


def test_what_was_learned_outlives_a_restart():
    shop = Shop()
    shop.found()
    saved = {name: array.copy() for name, array in shop.stage.memories["detection.never_given"].state().items()}
    again = DetectionStage(alone(never_given=NeverGivenSettings()), shop.pool)
    assert again.memories["detection.never_given"].restore(saved)
    kept = again.memories["detection.never_given"].state()
    assert {name for name in saved if not np.array_equal(saved[name], kept[name])} == set()
    assert (kept["families"]["faithful"].max(), kept["at"].size) == (12, 12)


@pytest.mark.parametrize(("away_seconds", "told"), [(60, THE_THIEF), (3_600, set())])
def test_after_a_long_stop_it_learns_anew_what_was_given(away_seconds, told):
    shop = Shop()
    shop.found()
    saved = {name: array.copy() for name, array in shop.stage.memories["detection.never_given"].state().items()}
    entities_saved = {name: array.copy() for name, array in features_of(shop.stage).state().items()}
    later = Shop(customers=0)
    later.pool = shop.pool
    later.steal(begin=120 + away_seconds)
    again = DetectionStage(alone(never_given=NeverGivenSettings()), shop.pool)
    assert features_of(again).restore(entities_saved)
    assert again.memories["detection.never_given"].restore(saved)
    assert entities(later.detections(again)) == told


def test_where_most_bodies_are_not_kept_it_rests():
    shop = Shop()
    for number in range(600):
        shop.call(20, 200 + number / 10, "/stock", "/stock", b"{}" * 50)
        shop.cut(0)
    shop.steal(60, begin=261)
    shop.steal(60, begin=400)
    assert shop.found() == []


def test_fewer_blocks_than_identities_are_silent_not_wrong():
    shop = Shop(customers=60)
    shop.steal(60)
    found = shop.found(identities_max=2)
    assert entities(found) <= THE_THIEF
    assert shop.stage.detectors["never_given"].evicted > 0



@kernel
def noted(blocks: BLOCK, bits: U64s, text: Bytes, start: int, stop: int, shapes: Bytes, word: Bytes) -> bool:
    """Whether `word` is noted once text[start:stop] was read."""
    note_words(blocks[0], bits, 0, text, start, stop, shapes, np.uint64(5))
    return is_noted(bits, 0, hash_bytes(np.uint64(5), word, 0, len(word)))


@kernel
def shape(word: Bytes) -> int:
    return shape_of(word, 0, len(word))


def is_given(text: bytes, word: bytes, before: int = 0, asked: bytes | None = None, fill: int = 0) -> bool:
    data = np.frombuffer(b"7" * before + text + b"7" * 9, np.uint8).copy()
    shapes, blocks, bits = np.zeros(SHAPES, np.uint8), np.zeros(1, BLOCK), np.zeros(2 * HALF_WORDS, np.uint64)
    blocks["fill"] = fill
    octets = np.frombuffer(word, np.uint8).copy()
    shapes[shape(octets if asked is None else np.frombuffer(asked, np.uint8).copy())] = 1
    return noted(blocks, bits, data, before, before + len(text), shapes, octets)


WORD = re.compile(rb"[0-9A-Za-z_-]+")


def words_of(text: bytes) -> set[bytes]:
    """The slow twin."""
    found = set()
    for match in WORD.finditer(text):
        around = text[match.start() - 1 : match.start()] if match.start() else b"", text[match.end() : match.end() + 1]
        apart = around[0] not in (b".", b"%", b"@", b"+", b"\\") and around[1] not in (b".", b":", b"@", b"%")
        if apart and re.search(rb"[0-9]", match[0]) and len(match[0]) <= 79:
            found.add(match[0])
    return found


@given(st.binary(max_size=40), st.text("0123456789ab-_/\".:%,", max_size=150), st.integers(0, 70))
def test_words_are_those_that_a_plain_search_finds(odd, text, before):
    octets = text.encode() + odd
    for word in {match[0] for match in WORD.finditer(octets) if len(match[0]) <= 79 and match[0]}:
        assert is_given(octets, word, before) == (word in words_of(octets))


def test_prices_times_and_escapes_are_no_ids():
    text = b'{"price": 12.50, "at": "10:15:32Z", "mail": "a7@x.org", "name": "%41 77", "ids": [91,92], "key": "ord-93"}'
    assert [is_given(text, word) for word in (b"12", b"50", b"10", b"15", b"a7", b"41")] == [False] * 6
    assert [is_given(text, word) for word in (b"77", b"91", b"92", b"ord-93")] == [True] * 4


def test_once_there_are_many_only_words_like_ids_that_were_asked_for():
    text = b'{"ids": [91, 92]}'
    assert is_given(text, b"91", asked=b"9111")
    assert is_given(text, b"91", asked=b"91", fill=1_000)
    assert not is_given(text, b"91", asked=b"9111", fill=1_000)


# --- from packets ---------------------------------------------------------------------------------------------------


def answer(body: bytes, coding: bytes = b"") -> bytes:
    coded = gzip.compress(body) if coding else body
    extra = b"Content-Encoding: gzip\r\n" if coding else b""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n"
    return head % (extra, len(coded)) + coded


def asked(who: int, target: str) -> bytes:
    token = f"token-of-{who:04d}-abcdef"
    return f"GET {target} HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


def api_talk(taken: list[str], listed: bytes = b"") -> list[tuple[str, bytes, bytes]]:
    """Ten customers list their orders and read five each; then one more, who was given `listed`, reads `taken`."""
    said = []
    for who in range(10):
        mine = [str(uuid.UUID(int=who << 64 | number, version=4)) for number in range(8)]
        said.append((f"10.0.0.{who + 1}", asked(who, "/api/orders?page=1"), answer(json.dumps(mine).encode())))
        for one in mine[:5]:
            said.append((f"10.0.0.{who + 1}", asked(who, f"/api/orders/{one}"), answer(b'{"total": 5}')))
    if listed:
        said.append(("10.0.0.99", asked(99, "/api/orders?page=1"), listed))
    said += [("10.0.0.99", asked(99, f"/api/orders/{one}"), answer(b'{"total": 5}')) for one in taken]
    return said


TAKEN = [str(uuid.UUID(int=77 << 64 | number, version=4)) for number in range(40)]
LIST = json.dumps([{"id": one, "total": 5} for one in TAKEN]).encode()


def told(folder: Path, sent: list[Packet]) -> list[tuple[str, str | None]]:
    capture = write_pcap(folder / "talk.pcap", sent)
    batches = list(Pipeline(Settings(detection=alone(never_given=NeverGivenSettings())), [str(capture)]))
    raised = [alert for batch in batches for alert in batch.alerts if alert.state == State.RAISED]
    return [(alert.rule_id, alert.client_ip) for alert in raised]


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        (b"", [("objects-never-given", "10.0.0.99")]),
        (answer(b"[]"), [("objects-never-given", "10.0.0.99")]),
        (answer(LIST), []),
        (answer(LIST, b"gzip"), []),
        (answer(LIST + b" " * 20_000), []),
    ],
    ids=["no list", "an empty list", "a list", "a coded list", "a long list"],
)
def test_from_packets_to_an_alert(tmp_path, listed, expected):
    assert told(tmp_path, packets(api_talk(TAKEN, listed))) == expected


def test_a_list_that_was_lost_makes_silent(tmp_path):
    sent = packets(api_talk(TAKEN, answer(LIST)))
    whole = [packet for packet in sent if LIST[:200] not in packet.payload]
    assert len(whole) < len(sent)
    assert told(tmp_path, whole) == []


@pytest.mark.parametrize("again", [1, 2])
def test_doubled_frames_change_nothing(tmp_path, again):
    sent = [packet for packet in packets(api_talk(TAKEN)) for _ in range(again)]
    assert told(tmp_path, sent) == [("objects-never-given", "10.0.0.99")]
