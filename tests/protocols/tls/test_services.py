"""TLS in a whole run: its flows are named, however long they are, and TLS inside of tunnels is found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from sensor.api import Capture, read
from sensor.config import CaptureSettings, Settings, WorkerSettings
from tests.protocols.http1.test_tunnels import CONNECT, GRANTED
from tests.protocols.quic.sealing import CLIENT_HELLO, crypto, padded, seal
from tests.protocols.tls.ends import V12, V13, Ends, talk_of
from tests.traffic import Packet, without, write_pcap

SMALL = Settings(capture=CaptureSettings(batch_frames=3))
TWO = Settings(workers=WorkerSettings(count=2))


def seen(path: Path, packets: list[Packet], settings: Settings | None = None) -> Capture:
    return read(write_pcap(path / "a.pcap", packets), settings)


@pytest.mark.parametrize("settings", [Settings(), SMALL], ids=["whole", "in batches of 3"])
def test_a_long_connection_is_told_to_its_end(pair: Path, tmp_path: Path, settings: Settings) -> None:
    """Its records come in far more segments than a flow may have that is not HTTP's before HTTP gives up on it."""
    capture = seen(tmp_path, talk_of(Ends(pair, V12).converse(), mss=200).packets, settings)
    assert capture.flows["service"].to_list() == ["ssl"]
    assert capture.tls["resp_records"].to_list() == [3]
    assert capture.tls["established"].to_list() == [True]


@pytest.mark.parametrize("version", [V12, V13], ids=["1.2", "1.3"])
@pytest.mark.parametrize("settings", [Settings(), SMALL, TWO], ids=["whole", "in batches of 3", "two workers"])
def test_tls_behind_connect(pair: Path, tmp_path: Path, version: int, settings: Settings) -> None:
    turns = [(0, CONNECT), (1, GRANTED), *Ends(pair, version).converse()]
    capture = seen(tmp_path, talk_of(turns).packets, settings)
    (row,) = capture.tls.to_dicts()
    direct = seen(tmp_path, talk_of(turns[2:]).packets, settings).tls.to_dicts()[0]
    same = ("server_name", "version", "cipher", "ja4", "resp_records", "resp_record_bytes", "established")
    assert {name: row[name] for name in same} == {name: direct[name] for name in same}
    assert capture.flows["service"].to_list() == ["http"]
    assert capture.transactions["method"].to_list() == ["CONNECT"]
    assert row["uid"] == capture.flows["uid"][0]


def test_a_lost_hello_behind_connect_is_no_fault(pair: Path, tmp_path: Path) -> None:
    packets = talk_of([(0, CONNECT), (1, GRANTED), *Ends(pair, V13).converse()]).packets
    lost = [i for i, packet in enumerate(packets) if packet.payload.startswith(b"\x16\x03\x01")]
    capture = seen(tmp_path, without(packets, *lost))
    assert capture.tls["server_name"].to_list() in ([], [None])
    assert capture.counters["tls"]["kernel_fault"] == 0


QUIC = [
    Packet(1_700_000_000_000_000_000 + i, "10.0.0.1", 50_000, "10.0.0.2", 443, payload=payload, proto=17)
    for i, payload in enumerate((seal(padded(crypto(CLIENT_HELLO))), b"\x40" * 1_300))
]


def test_quic_is_a_service(tmp_path: Path) -> None:
    capture = seen(tmp_path, QUIC)
    assert capture.flows["service"].to_list() == ["quic"]
    (row,) = capture.tls.to_dicts()
    assert (row["server_name"], row["quic_version"], row["offered_protocols"]) == ("example.com", "1", ["alpn"])
    assert (row["version"], row["established"], row["ja4"][:10]) == (None, False, "q13d0211an")
    off = msgspec.structs.replace(Settings().protocols, quic=False)
    assert not len(seen(tmp_path, QUIC, msgspec.structs.replace(Settings(), protocols=off)).tls)


def test_quic_without_its_library_is_counted_and_told(tmp_path: Path) -> None:
    """In a Python in which cryptography is not installed; a capture without QUIC says nothing of it."""
    examined = {}
    for name, packets in (("quic", QUIC), ("other", [Packet(QUIC[0].ts, "10.0.0.1", 5_000, "10.0.0.2", 81)])):
        path = write_pcap(tmp_path / f"{name}.pcap", packets)
        code = f"import sys; sys.modules['cryptography'] = None; sys.argv[1:] = ['doctor', '--json', {str(path)!r}]"
        command = [sys.executable, "-c", f"{code}; from sensor.__main__ import main; main()"]
        run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        examined[name] = {finding["name"]: finding for finding in msgspec.json.decode(run.stdout)["findings"]}
        assert "QUIC" not in run.stderr
    assert examined["quic"]["quic"]["count"] == 1
    assert "tapir-sensor[quic]" in examined["quic"]["quic"]["advice"]
    assert "quic" not in examined["other"]
