"""What waits with transactions: in the order in which it came, and once."""

from __future__ import annotations

import numpy as np

from sensor.gathered import NO_FLOWS, NO_STREAMS, Ended, Gathered
from sensor.schema import FLOW, STREAM


def ended(*serials: int) -> Ended:
    flows, streams = np.zeros(len(serials), FLOW), np.zeros(2 * len(serials), STREAM)
    flows["serial"] = serials
    streams["packets"] = np.repeat(serials, 2)
    return Ended(flows, streams, flows[:1].copy(), streams[:2].copy())


def test_what_several_blocks_ended_comes_in_their_order() -> None:
    gathered = Gathered()
    for now, part in enumerate((ended(3, 1), ended(), ended(2))):
        gathered.add(part, now)
    assert (gathered.flows, gathered.now) == (3, 2)
    taken = gathered.take()
    assert taken.flows["serial"].tolist() == [3, 1, 2]
    assert taken.streams["packets"].tolist() == [3, 3, 1, 1, 2, 2]
    assert taken.told["serial"].tolist() == [3, 2]
    assert taken.told_streams["packets"].tolist() == [3, 3, 2, 2]


def test_it_is_taken_once() -> None:
    gathered = Gathered(blocks=2)
    gathered.add(ended(1), 1)
    gathered.take()
    assert len(gathered.take().flows) == 0
    gathered.add(Ended(NO_FLOWS, NO_STREAMS, NO_FLOWS, NO_STREAMS), 2)
    assert (gathered.blocks, gathered.flows, len(gathered.take().flows)) == (0, 0, 0)
