"""Live bytes: standard input, FIFOs and TCP; frames come out as soon as their bytes are in."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
import zlib
from contextlib import closing

import pytest

from sensor.capture.sources.stream import connect
from sensor.capture.stage import CaptureStage
from sensor.config import CaptureSettings
from sensor.errors import InputError
from tests.capture.build import Reading, frame, pcap, write

FRAMES = [frame(i, i.to_bytes(4, "big") * 50) for i in range(300)]
PROGRAM = """
from sensor.capture.stage import CaptureStage
from sensor.config import CaptureSettings
from sensor.errors import InputError
stage = CaptureStage(CaptureSettings(), ["-"])
for block in stage.blocks():
    print(len(block.frames), flush=True)
print(stage.counters.as_dict()["frames"], stage.faults, stage.bytes_total, flush=True)
"""


def serve(content: bytes):
    """A server on the loopback that sends `content` to the first who connects; its address and the thread to join."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer():
        with listener, listener.accept()[0] as peer:
            peer.sendall(content)

    thread = threading.Thread(target=answer)
    thread.start()
    return f"tcp://127.0.0.1:{listener.getsockname()[1]}", thread


def test_packets_of_a_live_pipe_are_seen_as_they_come():
    """Like `tcpdump -U -w - | tapir read -`: each packet is answered before the next is written."""
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        watchdog = threading.Timer(60, child.kill)
        watchdog.start()
        child.stdin.write(pcap([]))
        child.stdin.flush()
        for each in FRAMES[:20]:
            # the first frame has no clock to leap from: its verdict waits for the second
            child.stdin.write(pcap([each])[24:])
            child.stdin.flush()
            if each is not FRAMES[0]:
                expected = b"2\n" if each is FRAMES[1] else b"1\n"
                assert child.stdout.readline() == expected
        child.stdin.close()
        assert child.stdout.read() == b"20 [] None\n"
        watchdog.cancel()


def test_many_small_writes_become_one_block(tmp_path):
    """What waits in the pipe is taken at once, however it was written."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    keeper = os.open(fifo, os.O_RDWR)
    os.write(keeper, pcap([]))
    for each in FRAMES[:100]:
        os.write(keeper, pcap([each])[24:])
    stage = CaptureStage(CaptureSettings(), [str(fifo)])
    blocks = stage.blocks()
    assert len(next(blocks).frames) == 100
    os.close(keeper)
    assert list(blocks) == []
    assert stage.faults == []


def test_compressed_packets_of_a_live_pipe_are_seen_as_they_come(tmp_path):
    """What the writer flushed is decoded without waiting for the next compressed byte."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    keeper = os.open(fifo, os.O_RDWR)
    packer = zlib.compressobj(wbits=31)
    blocks = CaptureStage(CaptureSettings(), [str(fifo)]).blocks()
    for packets in (FRAMES[:10], FRAMES[10:30], FRAMES[30:35]):
        content = pcap(packets)[0 if packets[0] is FRAMES[0] else 24 :]
        os.write(keeper, packer.compress(content) + packer.flush(zlib.Z_SYNC_FLUSH))
        assert len(next(blocks).frames) == len(packets)
    blocks.close()
    os.close(keeper)


def test_record_cut_into_single_bytes(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    content = pcap(FRAMES[:5])

    def trickle():
        with open(fifo, "wb", buffering=0) as pipe:
            for i in range(len(content)):
                pipe.write(content[i : i + 1])

    thread = threading.Thread(target=trickle)
    thread.start()
    reading = Reading(fifo)
    thread.join()
    assert (reading.frames, reading.faults) == (FRAMES[:5], [])


def test_verdicts_wait_for_more_of_a_file_and_not_of_a_stream(tmp_path):
    address, serving = serve(pcap(FRAMES))
    stream = CaptureStage(CaptureSettings(batch_frames=100), [address])
    file = CaptureStage(CaptureSettings(batch_frames=100), [str(write(tmp_path / "x.pcap", pcap(FRAMES)))])
    assert [block.more for block in file.blocks()] == [True] * 3
    assert not any(block.more for block in stream.blocks())
    serving.join()


def test_tcp_server():
    address, thread = serve(pcap(FRAMES))
    reading = Reading(address)
    thread.join()
    assert (reading.frames, reading.faults) == (FRAMES, [])
    assert reading.stage.bytes_total is None
    assert reading.stage.bytes_read == len(pcap(FRAMES))


def test_tcp_server_that_stops_in_the_middle():
    address, thread = serve(pcap(FRAMES)[:-3])
    reading = Reading(address)
    thread.join()
    assert reading.frames == FRAMES[:-1]
    assert [(fault.source, fault.offset) for fault in reading.faults] == [(address, len(pcap(FRAMES[:-1])))]


def test_tcp_reset_is_a_fault_behind_what_was_read():
    content = pcap(FRAMES)
    received = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            peer = listener.accept()[0]
            peer.sendall(content)
            received.wait(60)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()

        thread = threading.Thread(target=answer)
        thread.start()
        source = connect(f"tcp://127.0.0.1:{listener.getsockname()[1]}")
        while source.position < len(content):
            source.readinto(memoryview(bytearray(1000)))
        received.set()
        with closing(source), pytest.raises(InputError, match="cannot be read on: Connection reset") as fault:
            source.readinto(memoryview(bytearray(1000)))
        thread.join()
    assert fault.value.offset == len(content)


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    [fault] = Reading(address).faults
    assert fault.source == address
    assert "cannot be reached" in fault.problem


@pytest.mark.parametrize("name", ["tcp://", "tcp://host", "tcp://:1", "tcp://host:port", "tcp://host:70000", "tcp://[::1"])
def test_bad_address(name):
    [fault] = Reading(name).faults
    assert "expected tcp://host:port" in str(fault)


def test_terminal_is_not_a_capture():
    """`tapir read -` at a prompt says what is missing instead of waiting."""
    parent, child = os.openpty()
    done = subprocess.run([sys.executable, "-c", PROGRAM], stdin=child, capture_output=True, timeout=60, check=True)
    os.close(parent)
    os.close(child)
    assert b"standard input is a terminal" in done.stdout


def test_empty_standard_input():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True
    )
    assert b"is empty" in done.stdout


def test_stream_among_files_is_merged(tmp_path):
    address, thread = serve(pcap(FRAMES[1::2]))
    reading = Reading(write(tmp_path / "x", pcap(FRAMES[::2])), address)
    thread.join()
    assert reading.frames == FRAMES
