"""What `tapir read` writes, shows and returns."""

import json
import os
import signal

import msgspec
import polars as pl
import pytest
import zmq

from sensor.alert import Alert
from sensor.alerting.journal_verify import verify
from sensor.errors import InputError
from tests.bus.test_subscriber import free_port
from tests.cli.conftest import ALERTS
from tests.cli.pipeline import NO_BATCH


def json_lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_all_outputs_at_once(read, tmp_path, capsys):
    paths = {name: str(tmp_path / f"{name}.jsonl") for name in ("transactions", "flows", "alerts")}
    assert read(**paths) == 0
    counts = {name: len((tmp_path / f"{name}.jsonl").read_text().splitlines()) for name in paths}
    assert counts == {"transactions": 30, "flows": 20, "alerts": 3}


def test_parquet_by_the_ending(read, tmp_path):
    assert read(transactions=str(tmp_path / "t.parquet"), alerts=str(tmp_path / "a.parquet"), quiet=True) == 0
    assert len(pl.read_parquet(tmp_path / "t.parquet")) == 30
    assert pl.read_parquet(tmp_path / "a.parquet")["revision"].to_list() == [2, 1]


def test_lines_on_standard_output_leave_the_summary_to_standard_error(read, capfdbinary):
    assert read(transactions="-") == 0
    out, err = capfdbinary.readouterr()
    assert len(json_lines(out)) == 30
    assert b"transactions" in err


def test_the_summary_says_what_was_seen(read, capsys):
    assert read() == 0
    out, err = capsys.readouterr()
    assert "1,234 (98.8 kB on the wire)" in out
    assert "34 (2.76 %): 30 arp, 4 truncated tcp" in out
    assert "7 flows evicted (reassembly)" in out
    assert "2 alerts" in out
    assert "client 10.0.0.1" in out
    assert err == ""


def test_nothing_but_errors_when_quiet(read, capsys):
    assert read(quiet=True) == 0
    assert capsys.readouterr() == ("", "")


def test_json_gives_alerts_then_the_summary(read, capsys):
    assert read(json=True) == 0
    *alerts, last = json_lines(capsys.readouterr().out)
    assert [(alert["alert_id"], alert["revision"]) for alert in alerts] == [("a", 2), ("b", 1)]
    assert last["summary"]["transactions"] == 30
    assert sum(last["summary"]["flows"].values()) == 20
    assert last["summary"]["counters"]["decode"]["arp"] == 30


def test_an_empty_capture_has_a_summary(read, capsys):
    assert read(batches=[NO_BATCH]) == 0
    out = capsys.readouterr().out
    assert "none: no clear-text HTTP/1 was seen" in out
    assert "no alerts" in out


def test_a_fault_of_an_input_is_told_and_what_was_read_is_kept(read, tmp_path, capsys):
    path = tmp_path / "t.jsonl"
    fault = InputError("x.pcap", "the last record is cut", 77)
    assert read(faults=[fault], transactions=str(path)) == 1
    assert len(path.read_text().splitlines()) == 30
    assert "tapir read: x.pcap at offset 77: the last record is cut" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ({"transactions": "x.csv"}, 3, "ending must be"),
        ({"transactions": "/nowhere/x.jsonl"}, 3, "/nowhere/x.jsonl: cannot be written"),
        ({"transactions": "-", "flows": "-"}, 2, "standard output (-) is named more than once"),
        ({"wait_subscribers": 2}, 2, "--wait-subscribers needs --publish"),
        ({"publish": "nonsense"}, 3, "nonsense"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_read(read, capsys, options, code, message):
    def refuse(number):
        raise AssertionError("it has begun to read")

    assert read(before_batch=refuse, **options) == code
    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, which Linux has")
def test_a_full_disk_ends_the_run_with_its_name(read, tmp_path, capsys):
    link = tmp_path / "t.jsonl"
    link.symlink_to("/dev/full")
    assert read(inputs=("tcp://127.0.0.1:1",), transactions=str(link), flows=str(tmp_path / "f.jsonl")) == 3
    assert "t.jsonl: No space left on device" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_reading_and_keeps_what_was_read(read, tmp_path, capsys, number):
    path = tmp_path / "t.jsonl"
    before = signal.getsignal(number)

    def interrupt(batch):
        if batch == 1:
            os.kill(os.getpid(), number)

    assert read(before_batch=interrupt, transactions=str(path)) == 130
    assert len(path.read_text().splitlines()) == 10
    assert "interrupted" in capsys.readouterr().err
    assert signal.getsignal(number) == before


def test_a_second_signal_does_not_wait(read, tmp_path):
    path = tmp_path / "t.jsonl"

    def interrupt(batch):
        if batch == 1:
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)

    assert read(before_batch=interrupt, transactions=str(path)) == 130
    assert len(path.read_text().splitlines()) == 10


def test_alerts_are_published_in_order(read):
    address = f"tcp://127.0.0.1:{free_port()}"
    with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        subscriber.setsockopt(zmq.RCVTIMEO, 20_000)
        subscriber.setsockopt(zmq.LINGER, 0)
        subscriber.subscribe("alert.")
        subscriber.connect(address)
        assert read(publish=address, wait_subscribers=1, quiet=True) == 0
        received = [msgspec.json.decode(subscriber.recv_multipart()[1], type=Alert) for _ in ALERTS]
    assert received == ALERTS


def test_alerts_are_kept_in_a_journal(read, tmp_path):
    assert read(journal=str(tmp_path), quiet=True) == 0
    assert verify(tmp_path).records == len(ALERTS)
    assert read(state=str(tmp_path), quiet=True) == 0
    assert verify(tmp_path / "journal").records == len(ALERTS)
