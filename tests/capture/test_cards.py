"""What interfaces' own figures say: packets lost before the ring, told whatever comes and goes."""

from __future__ import annotations

from pathlib import Path

from sensor.capture.sources.cards import Cards
from tests.capture.network import cable, inside, needs_namespaces
from tests.capture.test_live import frame, raw_socket

HEAD = """Inter-|   Receive                      |  Transmit
 face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed
"""


def table(path: Path, **cards: tuple[int, int, int]) -> Path:
    """As the system writes it: packets, dropped, overrun of each card."""
    lines = [f"{name:>6}: 900 {a} 0 {b} {c} 0 0 0 1 2 3 4 5 6 7 8\n" for name, (a, b, c) in cards.items()]
    path.write_text(HEAD + "".join(lines))
    return path


def test_what_was_lost_since_the_start_counts(tmp_path: Path) -> None:
    path = table(tmp_path / "dev", eth1=(10, 3, 2), eth10=(5, 9, 9), lo=(7, 1, 1))
    cards = Cards(("eth1",), path)
    assert (cards.dropped, cards.packets) == (0, {"eth1": 10})
    table(path, eth1=(30, 40, 4), eth10=(5, 90, 9), lo=(7, 1, 1))
    cards.look()
    assert (cards.dropped, cards.unwanted, cards.packets) == (39, 0, {"eth1": 30})


def test_frames_that_nobody_wanted_drip_and_are_no_loss(tmp_path: Path) -> None:
    path = table(tmp_path / "dev", eth1=(0, 0, 0))
    cards = Cards(("eth1",), path)
    for second in range(1, 61):
        table(path, eth1=(100_000 * second, 100 * second, 0))  # of many packets, a few are of protocols nobody knows
        cards.look()
    assert (cards.dropped, cards.unwanted) == (0, 6_000)
    table(path, eth1=(6_000_001, 6_009, 0))  # and some on a quiet line
    cards.look()
    assert (cards.dropped, cards.unwanted) == (0, 6_009)
    table(path, eth1=(6_100_001, 8_009, 1))  # then it cannot keep up
    cards.look()
    assert (cards.dropped, cards.unwanted) == (2_001, 6_009)


def test_an_interface_that_comes_back_takes_nothing_back(tmp_path: Path) -> None:
    path = table(tmp_path / "dev", eth1=(10, 3, 0), eth2=(10, 0, 0))
    cards = Cards(("eth1", "eth2"), path)
    table(path, eth1=(12, 53, 0))
    cards.look()
    table(path, eth1=(12, 53, 0), eth2=(1, 0, 0))
    cards.look()
    assert cards.dropped == 50
    table(path, eth1=(0, 0, 0), eth2=(1, 40, 0))
    cards.look()
    assert cards.dropped == 90
    path.unlink()
    cards.look()
    assert cards.dropped == 90


@needs_namespaces
def test_the_systems_own_table() -> None:
    with cable("tapir-cards") as wire, inside(wire.near_space):
        cards = Cards((wire.near,))
        before = cards.packets[wire.near]
        with raw_socket(wire.far_space, wire.far) as far:
            for mark in range(20):
                far.send(frame(mark))
        cards.look()
        assert cards.packets[wire.near] == before + 20
        assert cards.dropped == 0
