#!/usr/bin/env python3
"""What one hostile value costs to judge: in: nothing; out: the dearest of values of 8 KiB that repeat one unit, in ms.

    python -m tests.bench.bench_judge [UNIT ...]

The one law: a value whose cost grows with its square shows here as hundreds of ms; ordinary ones take some ten.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sensor.detection.injection.judge import judge

UNITS = (
    "....", "a....", "../", "/.", "..;", "%", "%25", "%a", "((1", "((", "-", "/*", "#\n", "--\n", "<!--#", "B<a>",
    "<a ", "/** \n", "/** *", "    \n", "\t\n", "word, ", "word ", "日本", "日 ", "'*' ", "' or ", "1 or ", "or(",
    "select ",
    "select(", "'-@a", "1*", " union", "a=1;", "$a", "${a", "{{", "\\", "\\u0041", "&lt;", "+A", "`a` ", "[a](",
    "import {a", "const a = ", "require(", "--aaaaaaaa\n", "=====\n", " .htaccess",
)  # fmt: skip
BEFORE = ("", "x ", "'", "a b c d e\n")
LENGTH = 8_000


def main() -> None:
    costs = []
    for unit in sys.argv[1:] or UNITS:
        for before in BEFORE:
            text = (before + unit * LENGTH)[:LENGTH]
            begun = time.process_time()
            judge(text, True)
            costs.append(((time.process_time() - begun) * 1e3, unit, before))
    for spent, unit, before in sorted(costs, reverse=True)[:12]:
        print(f"{spent:7.1f} ms {before!r} and {unit!r}")


if __name__ == "__main__":
    main()
