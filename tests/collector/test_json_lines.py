"""JSON lines: one alert, one line, whatever the file looked like before."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from sensor.bus.message import Message
from sensor.collector.views.json_lines import JsonLines
from tests.bus.alerts import an_alert

BODY = msgspec.json.encode(an_alert())


def appended(path: Path, body: bytes) -> bytes:
    view = JsonLines.appending(str(path))
    view.show(Message("", an_alert(), body, None))
    view.close()
    return path.read_bytes()


def test_a_line_is_the_message_as_it_was_sent(tmp_path):
    newer = BODY[:-1] + b',"of_next_year":1}'
    assert appended(tmp_path / "alerts", newer) == newer + b"\n"


def test_a_message_over_several_lines_becomes_one(tmp_path):
    written = appended(tmp_path / "alerts", json.dumps(json.loads(BODY), indent=4).replace("\n", "\r\n").encode())
    assert written.count(b"\n") == 1
    assert json.loads(written) == json.loads(BODY)


@pytest.mark.parametrize("before", [b"", b'{"a":1}\n'])
def test_what_was_there_stays(tmp_path, before):
    (tmp_path / "alerts").write_bytes(before)
    assert appended(tmp_path / "alerts", BODY) == before + BODY + b"\n"


def test_a_line_that_was_cut_does_not_spoil_the_next(tmp_path):
    (tmp_path / "alerts").write_bytes(b'{"a":1}\n{"b')
    assert appended(tmp_path / "alerts", BODY).splitlines() == [b'{"a":1}', b'{"b', BODY]


def test_a_stream_that_takes_a_little_at_a_time_gets_all(tmp_path):
    class Slow:
        taken = b""

        def write(self, rest: memoryview) -> int:
            self.taken += bytes(rest[:7])
            return min(7, len(rest))

    stream = Slow()
    JsonLines(stream).show(Message("", an_alert(), BODY, None))
    assert stream.taken == BODY + b"\n"
