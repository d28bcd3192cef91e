"""IP fragments: any order, overlaps, duplicates, contradictions, time-out, and the room they have."""

import random

import pytest
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6
from scapy.layers.l2 import GRE, Dot1Q

from sensor import limits
from sensor.config import DecodeSettings
from sensor.decode.reasons import FragmentCount, Reason
from sensor.decode.stage import DecodeStage
from sensor.schema import SegmentFlag
from tests.decode.frames import ETHER, Frame, assert_like_twin, batch, decode, readable

BODY = random.Random(1).randbytes(5000)


def pieces(version: int, size: int = 1000, ident: int = 77) -> list[bytes]:
    if version == 4:
        return [bytes(ETHER / part) for part in fragment(IP(id=ident) / UDP(sport=5, dport=6) / BODY, size)]
    whole = IPv6() / IPv6ExtHdrFragment(id=ident) / UDP(sport=5, dport=6) / BODY
    return [bytes(ETHER / part) for part in fragment6(whole, size)]


def piece(begin: int, body: bytes, more: bool, ident: int = 1, **fields: object) -> bytes:
    return bytes(ETHER / IP(id=ident, frag=begin // 8, flags="MF" if more else 0, proto=17, **fields) / body)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [3, 0, 5, 1, 4, 2]])
def test_a_datagram_is_rebuilt_in_any_order(version, order):
    parts = pieces(version)[:6]
    rows, reasons = decode(*(parts[i] for i in order if i < len(parts)))
    assert reasons == {Reason.FRAGMENT_HELD: len(parts) - 1}
    assert rows[0]["payload"] == BODY
    assert (rows[0]["src_port"], rows[0]["dst_port"], rows[0]["frame"]) == (5, 6, len(parts) - 1)
    assert rows[0]["flags"] & SegmentFlag.REBUILT
    assert rows[0]["ip_len"] == sum(len(part) - 14 for part in parts)


def test_datagrams_survive_the_end_of_a_batch():
    stage = DecodeStage(DecodeSettings())
    rows = []
    for part in pieces(4):
        block, index = batch([Frame(part, len(part))])
        rows += readable(stage.process(block, index), block)
    assert [row["payload"] for row in rows] == [BODY]


def test_the_first_copy_of_a_byte_wins():
    udp = bytes(UDP(sport=1, dport=2, len=8 + 24))
    frames = [
        piece(0, udp + b"A" * 8, more=True),
        piece(8, b"B" * 16, more=True),
        piece(24, b"C" * 8, more=False),
    ]
    rows, _ = decode(*frames)
    assert rows[0]["payload"] == b"A" * 8 + b"B" * 8 + b"C" * 8
    rows, _ = decode(*frames[1:], frames[0])
    assert rows[0]["payload"] == b"B" * 16 + b"C" * 8


def test_a_duplicate_brings_nothing():
    parts = pieces(4)
    rows, reasons = decode(parts[0], parts[0], *parts[1:])
    assert reasons[Reason.FRAGMENT_DUPLICATE] == 1
    assert rows[0]["payload"] == BODY


@pytest.mark.parametrize(
    "bad",
    [
        piece(16, b"x" * 16, more=False),      # another end
        piece(24, b"x" * 8, more=True),        # beyond the end
        piece(0, b"", more=True),              # empty
        piece(0, b"1234567", more=True),       # less than a block
        piece(65_528, b"x" * 8, more=False),   # beyond any datagram
    ],
)
def test_a_fragment_that_contradicts_its_datagram_is_left_out(bad):
    rows, reasons = decode(piece(16, b"x" * 8, more=False), bad, piece(0, bytes(UDP(len=24)) + b"y" * 8, more=True))
    assert reasons == {Reason.FRAGMENT_HELD: 1, Reason.FRAGMENT_BAD: 1}
    assert rows[0]["payload"] == b"y" * 8 + b"x" * 8


def test_a_last_fragment_that_ends_before_bytes_already_held_is_left_out():
    _, reasons = decode(piece(24, b"x" * 8, more=True), piece(8, b"x" * 8, more=False))
    assert reasons == {Reason.FRAGMENT_HELD: 1, Reason.FRAGMENT_BAD: 1}


def test_a_fragment_cut_by_the_snap_length_cannot_be_used():
    part = pieces(4)[0]
    _, reasons = decode(Frame(part[:500], len(part)))
    assert reasons == {Reason.FRAGMENT_CUT: 1}


def test_datagrams_differ_by_protocol_id_vlan_and_family():
    tcp = bytes(TCP(sport=1, dport=2)) + b"x" * 4
    first = ETHER / IP(id=1, flags="MF", proto=6) / tcp[:16]
    last = IP(id=1, frag=2, proto=6) / tcp[16:]
    other_vlan = ETHER / Dot1Q(vlan=3) / last
    other_id, other_proto = last.copy(), last.copy()
    other_id.id, other_proto.proto = 2, 17
    rows, _ = decode(bytes(first), bytes(other_vlan), bytes(ETHER / other_id), bytes(ETHER / other_proto))
    assert not rows
    rows, _ = decode(bytes(first), bytes(ETHER / last))
    assert rows[0]["payload"] == b"xxxx"


def stage_after(frames: list[Frame]) -> DecodeStage:
    stage = DecodeStage(DecodeSettings())
    stage.process(*batch(frames))
    return stage


def test_what_waited_too_long_is_given_up_in_packet_time():
    first, *rest = pieces(4)
    wait = limits.DATAGRAM_SECONDS * limits.NS
    in_time = [Frame(first, len(first), 0), *(Frame(part, len(part), wait) for part in rest)]
    assert stage_after(in_time).fragments[FragmentCount.REBUILT] == 1
    too_late = [Frame(first, len(first), 0), *(Frame(part, len(part), wait + 1) for part in rest)]
    stage = stage_after(too_late)
    assert (stage.fragments[FragmentCount.REBUILT], stage.fragments[FragmentCount.EXPIRED]) == (0, 1)


def test_the_oldest_datagram_gives_way_when_all_room_is_taken():
    starts = [piece(0, bytes(UDP(len=24)) + b"y" * 8, more=True, ident=i) for i in range(limits.DATAGRAMS_MAX + 1)]
    frames = [Frame(start, len(start), i) for i, start in enumerate(starts)]
    ends = [piece(16, b"z" * 8, more=False, ident=i) for i in (0, 2)]
    stage = stage_after(frames + [Frame(end, len(end), 10**6) for end in ends])
    assert stage.fragments[FragmentCount.EVICTED] == 2  # 0 by the last of them, and 1 by the end of 0
    assert stage.fragments[FragmentCount.REBUILT] == 1  # 2


def test_a_batch_may_rebuild_more_than_its_room_first_holds():
    whole = [IP(id=ident) / UDP(sport=5, dport=6) / bytes(60_000) for ident in range(60)]
    large = [part for packet in whole for part in fragment(packet, 20_000)]
    rows, reasons = decode(*(bytes(ETHER / part) for part in large))
    assert len(rows) == 60
    assert {row["payload_len"] for row in rows} == {60_000}
    assert reasons == {Reason.FRAGMENT_HELD: len(large) - 60}


def test_fragments_of_a_tunnel_in_a_tunnel_of_fragments():
    inner = fragment(IP(id=5) / UDP(sport=5, dport=6) / BODY, 3000)
    outer = [part for packet in inner for part in fragment(IP(id=9) / GRE() / packet, 1000)]
    for i, part in enumerate(outer):
        part.id = i // 4
    frames = [Frame(bytes(ETHER / part), len(ETHER / part)) for part in outer]
    assert_like_twin(frames)
    stage = DecodeStage(DecodeSettings())
    block, index = batch(frames)
    assert [row["payload"] for row in readable(stage.process(block, index), block)] == [BODY]
