"""What goes on as an expression behind a quote, or is one that a comment cuts off; prose, measures and signs do not."""

from __future__ import annotations

import pytest

from sensor.detection.injection.finding import WEAK
from sensor.detection.injection.judge import judge


def points(text: str) -> int:
    return max((finding.points for finding in judge(text) if finding.kind == "sqli"), default=0)


@pytest.mark.parametrize(
    "text",
    [
        "lamp'/1 or '1",
        "7' / current_date XOR '0",
        "7' * id - '0",
        "a'^0+0+1-1 = (0)-- -a",
        "'-@a1-@a union select name from people",
        "7' or(1,1)=(select count(0),concat(1,floor(rand(0)*2))from(people) group by 2)",
        "8-9 OR 1 = 1",
        "((1) OR (1 OR 1))--",
        "(COS(BINARY(1))) --",
        "1 * 1/*",
    ],
)
def test_expressions(text: str) -> None:
    assert points(text) >= WEAK


@pytest.mark.parametrize(
    "text",
    [
        "5' - 6' tall",
        "7\" x 9\" frame",
        "10 - 12 -- perhaps a little more",
        "3 + 4 * 5",
        "1 + 1 = 2 or so",
        '"MOD" "',
        '"IS" stamp\'',
        "rock 'n' roll - or 'blues'",
        "rent + heating = 900",
        'Alias "/icons/" "/usr/local/icons/"',
        'The "/etc/terminfo/*/*" file',
        "+90-53#-###-##",
    ],
)
def test_what_people_write(text: str) -> None:
    assert points(text) < WEAK
