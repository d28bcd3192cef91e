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
    assert (cards.dropped, cards.packets) == (2, {"eth1": 30})
    cards.look()  # the rest once what came with it is read
    assert (cards.dropped, cards.unwanted) == (39, 0)


def test_what_was_dropped_last_is_judged_at_the_end(tmp_path: Path) -> None:
    path = table(tmp_path / "dev", eth1=(0, 0, 0))
    cards = Cards(("eth1",), path)
    table(path, eth1=(0, 50, 0))
    cards.look()
    cards.settle()
    cards.settle()
    assert cards.dropped == 50


def test_frames_that_nobody_wanted_drip_and_are_no_loss(tmp_path: Path) -> None:
    path = table(tmp_path / "dev", eth1=(0, 0, 0))
    cards = Cards(("eth1",), path)
    for second in range(1, 61):
        table(path, eth1=(100_000 * second, 100 * second, 0))  # of many packets, a few are of protocols nobody knows
        cards.look()
    table(path, eth1=(6_100_000, 8_000, 1))  # then it cannot keep up
    cards.look()
    assert (cards.dropped, cards.unwanted) == (1, 6_000)
    cards.settle()
    assert (cards.dropped, cards.unwanted) == (2_001, 6_000)


def test_tagged_frames_that_the_sensor_got_are_not_lost_whatever_the_system_says(tmp_path: Path) -> None:
    path = table(tmp_path / "dev", eth1=(0, 0, 0))
    cards = Cards(("eth1",), path)
    for second in range(1, 61):
        table(path, eth1=(5_000 * second, 5_000 * second, 0))
        cards.look(5_000 * second - 700)  # some lie in the ring still
    cards.look(300_000)
    assert (cards.dropped, cards.unwanted) == (0, 300_000)
    for second in range(61, 65):  # a thousand more are dropped each second, and those it did not get
        table(path, eth1=(5_000 * second, 6_000 * second - 60_000, 0))
        cards.look(5_000 * second)
    cards.settle()
    assert (cards.dropped, cards.unwanted) == (4_000, 320_000)


def test_what_a_filter_keeps_from_the_sensor_may_be_what_was_dropped(tmp_path: Path) -> None:
    path = table(tmp_path / "dev", eth1=(0, 0, 0))
    cards = Cards(("eth1",), path)
    table(path, eth1=(1_000, 900, 0))
    cards.look(0, 100)
    cards.settle()
    assert (cards.dropped, cards.unwanted) == (0, 900)


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
