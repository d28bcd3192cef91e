"""Gaps in the numbers of a sensor's alerts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sensor.bus.sequence import Gap, SequenceTracker
from sensor.limits import GAPS_MAX, STREAMS_MAX


def observed(*sequences: int, epoch: int = 1) -> SequenceTracker:
    tracker = SequenceTracker()
    for sequence in sequences:
        tracker.observe("s", epoch, sequence)
    return tracker


def test_numbers_without_a_hole_make_no_gap():
    tracker = observed(1, 2, 3)
    assert (list(tracker.gaps), tracker.missed, tracker.repeated) == ([], 0, 0)


def test_a_hole_is_a_gap_with_its_first_and_last_missing_number():
    tracker = observed(1, 2, 6)
    assert list(tracker.gaps) == [Gap("s", 1, first=3, last=5)]
    assert tracker.missed == 3


def test_what_was_sent_before_the_first_alert_heard_is_not_missing():
    assert observed(40, 41).missed == 0


def test_a_new_epoch_of_a_known_sensor_counts_from_its_first_number():
    tracker = observed(7)
    assert tracker.observe("s", 2, 1) is None
    assert tracker.observe("s", 3, 3) == Gap("s", 3, first=1, last=2)


def test_sensors_are_followed_apart():
    tracker = observed(1)
    assert tracker.observe("other", 1, 9) is None
    assert tracker.observe("s", 1, 2) is None
    assert tracker.observe("other", 1, 10) is None


def test_a_number_seen_before_is_a_repeat_and_opens_no_gap():
    tracker = observed(1, 2, 3, 2, 4)
    assert (tracker.missed, tracker.repeated) == (0, 1)


@given(st.sets(st.integers(1, 60), min_size=1))
def test_missed_are_exactly_the_numbers_between_first_and_last_that_never_came(arrived):
    tracker = observed(*sorted(arrived))
    missing = {number for gap in tracker.gaps for number in range(gap.first, gap.last + 1)}
    assert missing == set(range(min(arrived), max(arrived) + 1)) - arrived
    assert tracker.missed == len(missing)


def test_names_and_gaps_without_end_are_held_within_bounds():
    tracker = observed()
    for name in range(STREAMS_MAX + 10):
        tracker.observe(f"s{name}", 1, 1)
    assert tracker.observe("s0", 1, 50) is None, "forgotten: heard of as if for the first time"
    assert tracker.observe(f"s{STREAMS_MAX}", 1, 3) == Gap(f"s{STREAMS_MAX}", 1, 2, 2)
    for sequence in range(100, 100 + 4 * GAPS_MAX, 2):
        tracker.observe("s0", 1, sequence)
    assert len(tracker.gaps) == GAPS_MAX
    assert tracker.missed > GAPS_MAX
