"""What a regular expression needs: known patterns, and that no match is without one of the literals."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.detection.sigma.regex_literals import literals_of

KNOWN = {
    r"^/v[0-9]+/users$": ["/users"],
    r"(?i)jndi:(ldap|rmi)://": ["jndi:"],
    r"-s-account\.workers\.dev|\.up\.railway\.app": ["-s-account.workers.dev", ".up.railway.app"],
    r"(ipfs\.io/|ipfs\.io\s).+@": ["ipfs.io"],
    r"(abc)?x": ["x"],
    r"(abc){2,}": ["abc"],
    r"a*": [],
    r"[a-z]+|foo": [],
    r"(?=foo)bar": ["bar"],
}


@pytest.mark.parametrize("pattern", KNOWN)
def test_known_patterns(pattern: str) -> None:
    assert literals_of(pattern) == KNOWN[pattern]


PIECES = st.recursive(
    st.sampled_from(["a", "b", "ab", "[ab]", ".", "c?", "b*", "^", "$", "\\."]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"({'|'.join(parts)})"),
        inner.map(lambda part: f"(?:{part})+"), inner.map(lambda part: f"(?:{part})?"),
        inner.map(lambda part: f"(?!{part})"), inner.map(lambda part: f"(?:{part}){{2}}"),
    ),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(PIECES, st.lists(st.text("abc.", max_size=8), max_size=20))
def test_no_match_is_without_them(pattern: str, texts: list[str]) -> None:
    needed = literals_of(pattern)
    for text in texts:
        if needed and re.search(pattern, text):
            assert any(literal in text for literal in needed)
