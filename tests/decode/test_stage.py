"""The stage itself: faults, quarantine, settings, link types by number, batches of every size."""

import msgspec
import numpy as np
import pytest
from scapy.layers.inet import IP, TCP, UDP

from sensor import limits
from sensor.config import DecodeSettings
from sensor.decode import stage as stage_module
from sensor.decode.reasons import Reason
from sensor.decode.stage import DecodeStage
from sensor.errors import SettingError
from sensor.schema import SEGMENT, FrameFlag
from tests.decode.frames import ETHER, SHARED, Frame, batch, capture_frames, decode, readable

GOOD = bytes(ETHER / IP() / TCP(sport=1, dport=2) / b"hello")


def frames(count: int) -> tuple[np.ndarray, np.ndarray]:
    return batch(Frame(GOOD, len(GOOD), ts) for ts in range(count))


def test_an_empty_batch_gives_no_rows():
    segments = DecodeStage(DecodeSettings()).process(*frames(0))
    assert (len(segments.rows), segments.rows.dtype) == (0, SEGMENT)


def test_rows_are_in_frame_order_and_name_their_frames():
    block, index = frames(5)
    index["link"][2] = 147
    rows = DecodeStage(DecodeSettings()).process(block, index).rows
    assert rows["frame"].tolist() == [0, 1, 3, 4]
    assert rows["ts"].tolist() == [0, 1, 3, 4]
    assert rows.flags.c_contiguous


def test_a_batch_larger_than_usual_is_decoded_whole():
    block, index = frames(limits.BATCH_FRAMES + 1)
    assert len(DecodeStage(DecodeSettings()).process(block, index).rows) == limits.BATCH_FRAMES + 1


def test_the_table_is_used_again():
    stage = DecodeStage(DecodeSettings())
    first = stage.process(*frames(3)).rows
    assert np.shares_memory(first, stage.process(*frames(2)).rows)


@pytest.mark.parametrize(("column", "value"), [("offset", -1000), ("offset", 10**9), ("caplen", 10**9)])
@pytest.mark.parametrize("victim", [0, 2, 4])
def test_a_fault_costs_the_frame_it_was_on(column, value, victim):
    block, index = frames(5)
    index[column][victim] = value
    stage = DecodeStage(DecodeSettings())
    rows = readable(stage.process(block, index), block)
    assert [row["frame"] for row in rows] == [i for i in range(5) if i != victim]
    assert (stage.counters[Reason.KERNEL_FAULT], stage.counters[Reason.DECODED]) == (1, 4)


def test_faults_on_all_frames_are_survived():
    block, index = frames(50)
    index["caplen"] = 10**9
    stage = DecodeStage(DecodeSettings())
    assert len(stage.process(block, index).rows) == 0
    assert stage.counters[Reason.KERNEL_FAULT] == 50
    assert len(stage.process(*frames(3)).rows) == 3


def test_quarantined_frames_are_not_decoded_and_move_no_clock():
    block, index = frames(3)
    index["ts"][1] = 2**62
    index["flags"][1] = FrameFlag.QUARANTINED
    stage = DecodeStage(DecodeSettings())
    assert stage.process(block, index).rows["frame"].tolist() == [0, 2]
    assert stage.counters[Reason.QUARANTINED] == 1
    assert int(stage._state["now"][0]) == 2


def test_link_types_that_are_not_decoded_are_named_in_one_line_each():
    block, index = frames(4)
    index["link"] = [147, 147, 1, 9999]
    stage = DecodeStage(DecodeSettings())
    stage.process(block, index)
    assert stage.unknown_links == {147: 2, 9999: 1}
    assert stage.unknown_link_lines() == [
        "link type 147 (user-defined 0) is not decoded: 2 frames",
        "link type 9999 (unknown to tapir) is not decoded: 1 frames",
    ]


def test_tunnel_ports_are_settings():
    inner = ETHER / IP(src="1.1.1.1") / TCP() / b"x"
    frame = bytes(ETHER / IP(src="9.9.9.9") / UDP(dport=5555) / (b"\x08\0\0\0\0\0\x07\0" + bytes(inner)))
    assert decode(frame)[0][0]["src"] == "9.9.9.9"
    assert decode(frame, settings=DecodeSettings(vxlan_ports=(5555,)))[0][0]["src"] == "1.1.1.1"


def test_a_port_names_one_tunnel():
    with pytest.raises(SettingError, match=r"decode.geneve_ports: port 4789 is in decode.vxlan_ports too"):
        DecodeStage(DecodeSettings(geneve_ports=(4789,)))


def test_a_port_that_is_none_is_refused():
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"vxlan_ports": [0]}, DecodeSettings)


def test_every_setting_of_ports_has_its_tunnel():
    assert {name for name, _ in stage_module.UDP_TUNNELS} == set(DecodeSettings.__struct_fields__)


def test_rows_do_not_depend_on_the_batch():
    path = SHARED / "oracle" / "special" / "nDPI__default__smb_frags.pcap"
    if not path.exists():
        pytest.skip(f"needs {path.name} in ../shared")
    captured = capture_frames(path)
    results = []
    for size in (1, 3, len(captured)):
        stage, rows = DecodeStage(DecodeSettings()), []
        for first in range(0, len(captured), size):
            block, index = batch(captured[first : first + size])
            rows += [row | {"frame": row["frame"] + first} for row in readable(stage.process(block, index), block)]
        results.append((rows, stage.counters.as_dict()))
    assert results[0] == results[1] == results[2]
