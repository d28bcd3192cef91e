"""Random, cut and mutated frames: nothing raises out of the stage, every frame is counted once, and the twin agrees."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.contrib.geneve import GENEVE
from scapy.contrib.gtp import GTP_U_Header
from scapy.contrib.mpls import MPLS
from scapy.layers.dot11 import Dot11, Dot11QoS, RadioTap
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, Jumbo, fragment6
from scapy.layers.l2 import GRE, LLC, SNAP, CookedLinux, CookedLinuxV2, Dot1Q
from scapy.layers.ppp import HDLC, PPP, PPPoE
from scapy.layers.vxlan import VXLAN

from sensor.config import DecodeSettings
from sensor.decode.reasons import Reason
from sensor.decode.stage import DecodeStage
from sensor.schema import FRAME
from tests.decode.frames import DOT3, ETHER, Frame, assert_like_twin, batch, ethernet

TCP5 = TCP(sport=1, dport=2, options=[("Timestamp", (1, 2))]) / b"12345"
SNAPPED = LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(code=0x800)
WLAN = Dot11(type=2, subtype=8, FCfield=1) / Dot11QoS() / SNAPPED
HOP = IPv6ExtHdrHopByHop(options=[Jumbo(jumboplen=1000)])
SEEDS = [
    (link, bytes(frame))
    for link, frame in [
        (1, ETHER / IP() / TCP5),
        (1, ETHER / Dot1Q(vlan=4) / IPv6() / TCP5),
        (1, ETHER / IPv6(plen=0) / HOP / IPv6ExtHdrRouting() / UDP() / bytes(20)),
        (1, ETHER / PPPoE() / PPP(proto=0x21) / IP() / ICMP()),
        (1, DOT3 / SNAPPED / IP() / UDP(dport=53) / b"abc"),
        (1, ethernet(0x8847) / MPLS(s=0) / MPLS(s=1) / b"\0\0\0\0" / ETHER / IP() / TCP5),
        (1, ETHER / IP() / GRE(key_present=1, key=1 << 24, proto=0x6558) / ETHER / IP() / TCP5),
        (1, ETHER / IP() / GRE(proto=0x88BE, seqnum_present=1) / b"\x10\5\0\7\0\0\0\0" / ETHER / IP() / TCP5),
        (1, ETHER / IP() / GRE(proto=0x22EB, seqnum_present=1) / (b"\x20\5\0\7" + bytes(8)) / ETHER / IP() / TCP5),
        (1, ETHER / IP() / UDP(dport=4789) / VXLAN(vni=3) / ETHER / IP() / TCP5),
        (1, ETHER / IP() / UDP(dport=6081) / GENEVE(proto=0x6558) / ETHER / IP() / TCP5),
        (1, ETHER / IP() / UDP(dport=2152) / GTP_U_Header(S=1, gtp_type=255) / IP() / TCP5),
        (1, ETHER / IP() / UDP(dport=37008) / b"\1\0\0\1\x0a\1\xc4\1" / ETHER / IP() / TCP5),
        (1, ETHER / IP() / UDP(dport=1701) / b"\0\3\0\0\0\0\0\1" / ETHER / IP() / TCP5),
        (1, ETHER / IP() / UDP(dport=1701) / b"\0\2\0\1\0\1" / HDLC() / PPP(proto=0x21) / IP() / TCP5),
        (1, ETHER / IP() / UDP(dport=3544) / IPv6() / TCP5),
        (1, ETHER / IP() / IPv6() / IP() / TCP5),
        (1, ethernet(0x894F) / b"\x00\x02\1\3\0\0\1\2" / ETHER / IP() / TCP5),
        *((1, ETHER / part) for part in fragment(IP(id=1) / UDP() / bytes(range(100)), 32)),
        *((1, ETHER / part) for part in fragment6(IPv6() / IPv6ExtHdrFragment(id=1) / UDP() / bytes(100), 88)),
        (0, b"\2\0\0\0" + bytes(IP() / TCP5)),
        (9, HDLC() / PPP(proto=0x57) / IPv6() / TCP5),
        (101, IP() / TCP5),
        (104, b"\x0f\0\x08\0" + bytes(IP() / TCP5)),
        (113, CookedLinux(proto=0x800) / IP() / TCP5),
        (127, RadioTap() / WLAN / IP() / TCP5),
        (192, b"\0\0\x08\0\1\0\0\0" + bytes(ETHER / IP() / TCP5)),
        (239, b"\2\0\0\5\7\0\x0a\0abc\0\x35\0\x09\0" + bytes(IP() / TCP5)),
        (276, CookedLinuxV2(proto=0x86DD) / IPv6() / TCP5),
    ]
]
LINKS = st.sampled_from([0, 1, 9, 10, 12, 50, 51, 101, 104, 105, 108, 113, 127, 147, 192, 229, 239, 276])
TIMES = st.integers(0, 10**11)


@st.composite
def mutated(draw: st.DrawFn) -> Frame:
    """A seed with a few bytes changed, perhaps cut, perhaps with a wire length of its own."""
    link, seed = draw(st.sampled_from(SEEDS))
    data = bytearray(seed)
    for _ in range(draw(st.integers(0, 4))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    cut = draw(st.one_of(st.just(len(data)), st.integers(0, len(data))))
    wirelen = draw(st.sampled_from([cut, len(data), len(data) + 100]))
    return Frame(bytes(data[:cut]), wirelen, draw(TIMES), link)


def noise() -> st.SearchStrategy[Frame]:
    return st.builds(Frame, st.binary(max_size=200), st.integers(0, 300), TIMES, LINKS)


@settings(max_examples=300, deadline=None)
@given(st.lists(mutated(), min_size=1, max_size=30), st.integers(1, 4))
def test_mutated_frames_are_decoded_as_the_twin_decodes_them(frames, batches):
    assert_like_twin(frames, batches)


@settings(max_examples=150, deadline=None)
@given(st.lists(noise(), min_size=1, max_size=30))
def test_noise_is_counted_as_the_twin_counts_it(frames):
    assert_like_twin(frames)


def test_every_seed_as_it_is_and_cut_at_every_byte():
    assert_like_twin([Frame(seed, len(seed), 0, link) for link, seed in SEEDS])
    assert_like_twin([Frame(seed[:cut], len(seed), 0, link) for link, seed in SEEDS for cut in range(len(seed))], 7)


FRAME_NUMBERS = st.integers(-(2**40), 2**40)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(FRAME_NUMBERS, st.integers(-(2**62), 2**62), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
        min_size=1,
        max_size=8,
    )
)
def test_an_index_that_lies_costs_its_frames_only(lies):
    good = bytes(ETHER / IP() / TCP5)
    block, index = batch([Frame(good, len(good))] * 3)
    wrong = np.array([(*lie, 1, 0, 0) for lie in lies], FRAME)
    stage = DecodeStage(DecodeSettings())
    rows = stage.process(block, np.concatenate([index[:1], wrong, index[1:]])).rows
    assert {0, len(lies) + 1, len(lies) + 2} <= set(rows["frame"].tolist())
    assert int(stage.counters.values.sum()) == len(lies) + 3
    assert stage.counters[Reason.DECODED] == len(rows)
    assert (rows["payload_offset"] >= 0).all()
    assert (rows["payload_offset"] + rows["payload_caplen"] <= len(block)).all()
