"""The table on a terminal, as characters on a screen of a fixed width."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from sensor.alert import Entity, Numbers, Severity, State
from sensor.bus.message import Message
from sensor.collector.views.table import AlertTable, printable
from tests.bus.alerts import an_alert

BULK = an_alert(
    severity=Severity.CRITICAL,
    title="Bulk transfer: far more than the other clients of its endpoint",
    entity=Entity("client", "2001:db8::7"),
    numbers=Numbers(observed=123_456_789.5, threshold=1e6, unit="bytes", window_seconds=3600),
)
ALERTS = [
    an_alert(),
    BULK,
    an_alert(state=State.UPDATED, revision=3, severity=Severity.MEDIUM, ts=1763723000.0),
    an_alert(state=State.CLOSED, revision=4, severity=Severity.LOW, ts=1763723120.0),
]


def screen(width: int, alerts=ALERTS, **options) -> str:
    """What stands on a terminal of this width, spaces at line ends left out."""
    console = Console(file=io.StringIO(), width=width, height=50, highlight=False, **options)
    table = AlertTable(console)
    for alert in alerts:
        table.show(Message("", alert, b"", None))
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def test_on_a_wide_terminal():
    assert screen(116) == """\
time (UTC)           severity  revision   alert                        entity            seen / limit
2025-11-21 11:02:30  HIGH      new        Failed logins                client 192.0.2.7  6 / 5 failed logins in 2
                                                                                         min
2025-11-21 11:02:30  CRITICAL  new        Bulk transfer: far more      client            123,456,790 / 1,000,000
                                          than the other clients of    2001:db8::7       bytes in 1 h
                                          its endpoint
2025-11-21 11:03:20  MEDIUM    update 3   Failed logins                client 192.0.2.7  6 / 5 failed logins in 2
                                                                                         min
2025-11-21 11:05:20  LOW       closed     Failed logins                client 192.0.2.7  6 / 5 failed logins in 2
                                                                                         min"""


def test_on_a_narrow_terminal_the_date_goes_and_cells_wrap():
    assert screen(80, ALERTS[:2]) == """\
UTC       severity  revision   alert            entity           seen / limit
11:02:30  HIGH      new        Failed logins    client           6 / 5 failed
                                                192.0.2.7        logins in 2 min
11:02:30  CRITICAL  new        Bulk transfer:   client           123,456,790 /
                               far more than    2001:db8::7      1,000,000 bytes
                               the other                         in 1 h
                               clients of its
                               endpoint"""


def test_colours_tell_severities_and_updates_stand_back():
    coloured = screen(120, force_terminal=True, color_system="standard")
    assert "\x1b[1;37;41mCRITICAL" in coloured
    assert "\x1b[1;31mHIGH" in coloured
    assert "\x1b[33mMEDIUM" in coloured
    assert "\x1b[36mLOW" in coloured
    assert coloured.count("\x1b[2mFailed logins") == 2


def test_the_header_comes_again_when_it_has_scrolled_away():
    assert screen(120, [an_alert()] * 100).count("severity") == 3


@pytest.mark.parametrize("width", [1, 20, 80, 300])
def test_no_terminal_is_too_narrow(width):
    assert screen(width)


def test_nothing_that_traffic_chose_moves_the_cursor():
    hostile = "\x1b[2J\x1b]0;title\x07\r\n\x9b31m\u202egnp.exe [red]bold[/red] :bomb:"
    numbers = Numbers(observed=1, threshold=1, unit=hostile, window_seconds=1)
    alert = an_alert(title=hostile, entity=Entity(hostile, hostile), numbers=numbers)
    shown = screen(400, [alert])
    assert all(char.isprintable() or char == "\n" for char in shown)
    assert shown.count(r"\x1b[2J\x1b]0;title\x07\r\n\x9b31m\u202egnp.exe [red]bold[/red] :bomb:") == 4


def test_printable_leaves_ordinary_text_alone():
    assert printable("Überweisung 送金 – €5") == "Überweisung 送金 – €5"


@pytest.mark.parametrize("ts", [1e300, -1e300, 1e12])
def test_a_time_that_no_calendar_has_is_shown_as_it_came(ts):
    assert str(ts) in screen(200, [an_alert(ts=ts)]).replace("\n", "")
