"""The journal: what was appended is on disk, comes back in order, and survives cut writes, full disks, other clocks."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.alert_log import START, Hole, Record
from sensor.alerting import journal as journal_module
from sensor.alerting.journal import Journal, JournalCount, segment_paths
from sensor.alerting.journal_lines import scan
from sensor.alerting.journal_verify import verify
from sensor.config import JournalSettings
from sensor.errors import InputError, OutputError

ALERTS = (b"alert.",)
HIGH, LOW = b"alert.high.a.b", b"alert.low.a.b"


def record(epoch: int, sequence: int, topic: bytes = HIGH, body: bytes = b'{"title":"x"}') -> Record:
    return Record(epoch, sequence, topic, body)


def records(epoch: int, first: int, last: int) -> list[Record]:
    return [record(epoch, sequence) for sequence in range(first, last + 1)]


def everything(journal: Journal, after=START, topics=ALERTS, at_a_time: int = 7) -> tuple[list[Record], list[Hole]]:
    """All that a subscriber gets who asks until there is no more."""
    found, holes = [], []
    while True:
        chunk = journal.read(after, topics, at_a_time, 1 << 20)
        found += chunk.records
        holes += chunk.holes
        if not chunk.more:
            return found, holes
        assert chunk.upto > after
        after = chunk.upto


def filled(path: Path, **options) -> tuple[list[Record], int]:
    """A journal with three runs of ten records; what it holds, and the last run's epoch."""
    held = []
    for _ in range(3):
        journal = Journal(path, JournalSettings(**options))
        held += (run := records(journal.epoch, 1, 10))
        for one in range(0, 10, 2):
            journal.append(run[one : one + 2])
        journal.close()
    return held, held[-1].epoch


class TestWhatComesBack:
    def test_everything_in_order_over_runs_and_segments(self, tmp_path):
        held, _ = filled(tmp_path, segment_bytes=600)
        assert len(segment_paths(tmp_path)) > 6
        journal = Journal(tmp_path)
        assert everything(journal) == (held, [])
        assert (journal.first, journal.last) == (held[0].position, held[-1].position)

    @pytest.mark.parametrize("after", range(0, 30, 4))
    def test_what_follows_a_position_and_no_more(self, tmp_path, after):
        held, _ = filled(tmp_path, segment_bytes=600)
        journal = Journal(tmp_path)
        assert everything(journal, held[after].position) == (held[after + 1 :], [])
        assert everything(journal, held[after].position) == (held[after + 1 :], []), "from the remembered place too"

    def test_topics_choose_and_the_answer_says_how_far_it_goes(self, tmp_path):
        journal = Journal(tmp_path)
        journal.append([record(1, 1), record(1, 2, LOW), record(1, 3), record(1, 4)])
        chunk = journal.read(START, (b"alert.low",), 10, 1 << 20)
        assert ([one.sequence for one in chunk.records], chunk.upto, chunk.holes) == ([2], (1, 4), [])

    def test_a_position_of_another_journal_begins_at_the_oldest(self, tmp_path):
        held, _ = filled(tmp_path)
        journal = Journal(tmp_path)
        chunk = journal.read((journal.epoch + 1, 5), ALERTS, 100, 1 << 20)
        assert chunk.reset
        assert chunk.records == held

    def test_one_answer_is_bounded_in_records_and_in_bytes(self, tmp_path):
        journal = Journal(tmp_path)
        journal.append([record(1, sequence, body=b"x" * 1000) for sequence in range(1, 101)])
        assert len(journal.read(START, ALERTS, 5, 1 << 20).records) == 5
        assert len(journal.read(START, ALERTS, 100, 10_000).records) == 10


class TestEpochs:
    def test_each_run_has_a_later_one_whatever_the_clock_says(self, tmp_path, monkeypatch):
        first = Journal(tmp_path)
        first.close()
        monkeypatch.setattr(journal_module.time, "time_ns", lambda: 1_000)
        second = Journal(tmp_path)
        assert second.epoch == first.epoch + 1, "a run without an alert has one, and a clock set back makes none less"

    def test_the_lines_tell_when_the_file_of_epochs_is_lost(self, tmp_path, monkeypatch):
        _, epoch = filled(tmp_path)
        (tmp_path / "journal.json").write_bytes(b'{"epo')
        monkeypatch.setattr(journal_module.time, "time_ns", lambda: 1_000)
        assert Journal(tmp_path).epoch == epoch + 1


class TestCutWrites:
    def test_cut_at_every_byte_the_whole_records_stay_and_the_rest_is_removed_and_counted(self, tmp_path):
        journal = Journal(tmp_path)
        journal.append([record(1, 1, body=b"{}"), record(1, 2, body=b"{}")])
        journal.close()
        (path,) = segment_paths(tmp_path)
        text = path.read_bytes()
        ends = [line.end for line in scan(path).lines]
        for cut in range(len(text)):
            path.write_bytes(text[:cut])
            journal = Journal(tmp_path)
            whole = [number for number, end in enumerate(ends, 1) if end <= cut]
            assert [one.sequence for one in everything(journal)[0]] == whole
            good = max([end for end in ends if end <= cut], default=16 if cut >= 16 else 0)
            assert journal.counters[JournalCount.TORN_BYTES] == cut - good
            journal.append([record(journal.epoch, 1)])
            assert len(everything(journal)[0]) == len(whole) + 1
            journal.close()
            found = verify(tmp_path)
            assert (found.breaks, found.records) == ([], len(whole) + 1)
            for other in segment_paths(tmp_path):
                other.unlink()

    def test_zeros_at_the_end_as_after_a_power_cut_are_removed(self, tmp_path):
        held, _ = filled(tmp_path)
        with segment_paths(tmp_path)[-1].open("ab") as file:
            file.write(bytes(4096))
        journal = Journal(tmp_path)
        assert journal.counters[JournalCount.TORN_BYTES] == 4096
        assert everything(journal) == (held, [])

    @settings(max_examples=60, deadline=None)
    @given(at=st.integers(0, 10_000), mask=st.integers(1, 255))
    def test_a_changed_byte_loses_its_line_and_no_other_and_is_found(self, tmp_path_factory, at, mask):
        path = tmp_path_factory.mktemp("journal")
        journal = Journal(path)
        journal.append(records(journal.epoch, 1, 20))
        journal.close()
        (segment,) = segment_paths(path)
        text = bytearray(segment.read_bytes())
        text[at % len(text)] ^= mask
        segment.write_bytes(text)
        found = verify(path)
        assert found.breaks or found.torn_bytes
        kept = len(everything(Journal(path))[0])
        assert kept >= 18  # a changed line end joins two lines
        assert kept < 20 or at % len(text) < 16  # the header is no record

    def test_kill_at_any_moment_loses_no_record_that_was_said_to_be_written(self, tmp_path):
        code = (
            "import sys; from sensor.alerting.journal import Journal; from sensor.alert_log import Record\n"
            "journal = Journal(sys.argv[1]); n = 0\n"
            "while True:\n"
            "    journal.append([Record(journal.epoch, n + k, b'alert.', b'{}' * 50) for k in (1, 2, 3)]); n += 3\n"
            "    print(n, flush=True)\n"
        )
        told_in_all = 0
        for run in range(5):
            command = [sys.executable, "-c", code, str(tmp_path)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                told = [int(process.stdout.readline()) for _ in range(5 + 17 * run)]
                process.kill()
                told += [int(line) for line in process.stdout if line.endswith("\n")]
            told_in_all += told[-1]
            found = verify(tmp_path)
            assert found.records >= told_in_all
            told_in_all = found.records
            assert found.breaks == []


class TestChain:
    def test_a_whole_journal_verifies(self, tmp_path):
        _, epoch = filled(tmp_path, segment_bytes=600)
        found = verify(tmp_path)
        assert (found.records, found.epochs, found.breaks, found.complete) == (30, 3, [], True)
        assert found.last == (epoch, 10)
        assert Journal(tmp_path).hash == found.hash

    def test_a_record_taken_out_is_found(self, tmp_path):
        filled(tmp_path)
        path = segment_paths(tmp_path)[1]
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[:3] + lines[4:]))
        assert len(verify(tmp_path).breaks) == 1

    def test_a_segment_taken_out_is_found(self, tmp_path):
        filled(tmp_path)
        segment_paths(tmp_path)[1].unlink()
        assert len(verify(tmp_path).breaks) == 1

    def test_no_journal_is_said(self, tmp_path):
        with pytest.raises(InputError, match="no journal"):
            verify(tmp_path)


class TestRetention:
    def test_by_size_whole_segments_go_and_a_late_reader_learns_exactly_what_is_gone(self, tmp_path):
        journal = Journal(tmp_path, JournalSettings(segment_bytes=2_000, bytes_max=6_000))
        epoch = journal.epoch
        for one in records(epoch, 1, 100):
            journal.append([one])
        assert journal.size_bytes <= 6_000 + 2_000
        found, holes = everything(journal, (epoch, 3))
        assert [one.sequence for one in found] == list(range(found[0].sequence, 101))
        assert holes == [Hole(epoch, 4, found[0].sequence - 1)]
        assert everything(journal, (epoch, found[0].sequence))[1] == [], "who has read so far misses nothing"
        assert verify(tmp_path).breaks == []
        assert not verify(tmp_path).complete

    def test_what_was_removed_is_known_to_the_next_run(self, tmp_path):
        filled(tmp_path)
        journal = Journal(tmp_path, JournalSettings(bytes_max=1_000))
        journal.tend()
        held = everything(journal)[0]
        (hole, *_) = everything(journal, (1, 1))[1]
        assert (hole.first, hole.last) == (1, 10)
        assert held
        assert everything(journal, held[0].position)[1] == []

    def test_by_age(self, tmp_path):
        filled(tmp_path)
        old, *_ = segment_paths(tmp_path)
        os.utime(old, (1, 1))
        journal = Journal(tmp_path)
        journal.tend()
        assert old not in segment_paths(tmp_path)
        assert journal.counters[JournalCount.SEGMENTS_REMOVED] == 1

    def test_a_clock_that_jumps_ahead_removes_nothing(self, tmp_path, monkeypatch):
        filled(tmp_path)
        journal = Journal(tmp_path)
        ahead = journal_module.time.time() + 10 * 365 * 86_400
        monkeypatch.setattr(journal_module.time, "time", lambda: ahead)
        journal.tend()
        assert journal.counters[JournalCount.SEGMENTS_REMOVED] == 0


@pytest.fixture
def small_files():
    """No file may grow over so many bytes: the system's own way to fail like a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


class TestFullDisk:
    def test_records_wait_in_memory_and_are_written_once_when_there_is_room(self, tmp_path, small_files):
        journal = Journal(tmp_path)
        epoch = journal.epoch
        journal.append(records(epoch, 1, 3))
        small_files(journal.size_bytes + 100)
        journal.append(records(epoch, 4, 6))
        assert journal.failing == os.strerror(errno.EFBIG)
        assert (journal.unwritten, journal.counters[JournalCount.WRITTEN]) == (3, 3)
        assert [one.sequence for one in everything(journal)[0]] == [1, 2, 3, 4, 5, 6], "also from memory"
        small_files(resource.RLIM_INFINITY)
        journal.append(records(epoch, 7, 7))
        journal.close()
        assert (journal.failing, journal.unwritten) == ("", 0)
        assert [one.sequence for one in everything(Journal(tmp_path))[0]] == [1, 2, 3, 4, 5, 6, 7]
        assert verify(tmp_path).breaks == []

    def test_what_waits_is_bounded_and_what_is_given_up_is_counted_and_a_hole(self, tmp_path, small_files, monkeypatch):
        monkeypatch.setattr(journal_module, "JOURNAL_UNWRITTEN_MAX", 5)
        journal = Journal(tmp_path)
        epoch = journal.epoch
        small_files(10)
        journal.append(records(epoch, 1, 8))
        small_files(resource.RLIM_INFINITY)
        journal.close()
        assert journal.counters[JournalCount.LOST] == 3
        assert everything(Journal(tmp_path), (epoch, 1)) == (records(epoch, 4, 8), [Hole(epoch, 2, 3)])

    def test_a_disk_that_is_full_from_the_start_does_not_stop_the_sensor(self, tmp_path, small_files):
        small_files(1)
        journal = Journal(tmp_path)
        assert journal.failing
        small_files(resource.RLIM_INFINITY)
        journal.append(records(journal.epoch, 1, 1))
        journal.close()
        assert not journal.failing
        assert verify(tmp_path).records == 1


def test_two_sensors_cannot_write_one_journal(tmp_path):
    first = Journal(tmp_path)
    with pytest.raises(OutputError, match="another sensor writes this journal"):
        Journal(tmp_path)
    first.close()


def test_a_directory_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be used"):
        Journal(tmp_path / "file" / "journal")


def tapir(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "sensor", "journal", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_command_says_whether_a_journal_is_whole_and_shows_it(tmp_path):
    filled(tmp_path)
    code, out = tapir("verify", str(tmp_path))
    assert (code, out.splitlines()[0]) == (0, "30 records of 3 runs, from the first ever written")
    assert verify(tmp_path).hash in out
    code, out = tapir("show", str(tmp_path))
    assert (code, out.splitlines()) == (0, ['{"title":"x"}'] * 30)
    path = segment_paths(tmp_path)[0]
    path.write_bytes(path.read_bytes().replace(b'"x"', b'"y"', 1))
    code, out = tapir("verify", str(tmp_path))
    assert code == 1
    assert "BROKEN" in out
    assert tapir("verify", str(tmp_path / "nothing")) == (
        1, f"tapir journal: {tmp_path}/nothing: no journal: expected a folder with *.journal files\n",
    )  # fmt: skip
