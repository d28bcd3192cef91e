"""Markup that nothing runs loses its tags; one tag that could run keeps them all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.detection.injection.finding import WEAK
from sensor.detection.injection.judge import judge, worst
from sensor.detection.injection.markup import without_idle_markup

SVG = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'><path d='M12 2L2 7l10 5z' fill='url(#g)'/></svg>"
XHTML = '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">'
MAIL = (
    '<!DOCTYPE html><html><head><meta charset="utf-8"><title>Bill</title><style>td{padding:4px}</style></head><body>'
    '<table border="0"><tr><td style="color:#333">Total</td><td>10.00</td></tr></table></body></html>'
)
IDLE = [
    SVG, f"data:image/svg+xml;utf8,{SVG}", MAIL, f"{XHTML}<html><p>a</p></html>",
    '<?xml version="1.0" encoding="UTF-8"?><note><to>Anna</to><body>Do not forget</body></note>',
    '<h1>Title</h1><p>Text with <code>x &lt; 5 &amp;&amp; y</code>,<br><img src="https://a.test/logo.png" alt="(c)">',
    "<ul><li>first<li>second</ul><!-- as it was --><a href='mailto:a@b.test'>mail</a>",
]  # fmt: skip


@pytest.mark.parametrize("text", IDLE)
def test_what_only_shows_is_no_attack(text: str) -> None:
    assert "<" not in without_idle_markup(text)
    assert worst(judge(text)) < WEAK


ACTIVE = [
    "<svg><script>alert(1)</script></svg>", "<svg onload=alert(1)></svg>",
    '<p><a href="javascript:alert(1)">x</a></p>', '<p><a href="&#106;avascript:alert(1)">x</a></p>',
    '<div><img src="x" onerror="alert(1)"></div>', "<p><iframe src='https://a.test'></iframe></p>",
    "<svg><animate attributeName=href values=javascript:alert(1) /></svg>",
    '<b>x</b>"><img src=x onerror=alert(1)>', "<p>a</p></title><script>alert(1)</script>",
    '<div style="width:expression(alert(1))"><b>x</b></div>', '<p><base href="https://a.test/"><b>x</b></p>',
    "<style>@import 'https://a.test/x.css';</style><b>x</b><b>y</b>",
    '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r><a>&x;</a></r>', "<a><b>&xxe;</b></a><c></c>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
    '<r xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd" parse="text"/></r>',
]  # fmt: skip


@pytest.mark.parametrize("text", ACTIVE)
def test_what_runs_loads_or_breaks_out_keeps_its_tags(text: str) -> None:
    assert without_idle_markup(text) == text
    assert worst(judge(text)) >= WEAK


def test_what_stands_between_tags_is_judged_as_ever() -> None:
    assert worst(judge("<p>1' or '1'='1</p><p>union all select null,version()--</p>")) >= WEAK
    assert worst(judge('<p><a href="http://169.254.169.254/latest/meta-data/">x</a></p>')) >= WEAK


PIECES = ["<", ">", "/", "b", "svg", " ", "=", '"', "'", "on", "a:", "!--", "-->", "&", ";", "x"]


@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_no_sign_of_markup_is_left_where_tags_went(pieces: list[str]) -> None:
    text = "".join(pieces)
    left = without_idle_markup(text)
    assert left == text or not {"<", ">"} & set(left)
