"""Signatures from files: in: files and folders; out: a set of them, and what did not load, and why.

Files of a folder end in .rules. The one law: a rule that does
not load is named with its file, line and reason, and the others do load.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sensor.detection.signatures.compile import compile_rule
from sensor.detection.signatures.network import DEFAULT_VARIABLES
from sensor.detection.signatures.parser import RuleError, parse_rule, rule_lines
from sensor.detection.signatures.rule import Signature
from sensor.errors import InputError

SHIPPED = "default"
"""The name under which the rules that ship are asked for."""
FILE_BYTES_MAX = 64 << 20


class Fault(NamedTuple):
    """A rule that did not load: where it stands, its keyword if one is at fault, and what is wrong."""

    path: str
    line: int
    keyword: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.problem}"


class RuleSet:
    """`signatures` in the order of their files; `faults` what did not load; `paths` the files that were read."""

    def __init__(self, sources: Sequence[str], variables: Mapping[str, str] | None = None) -> None:
        self.signatures: list[Signature] = []
        self.faults: list[Fault] = []
        self.paths: list[Path] = []
        self._variables = {**DEFAULT_VARIABLES, **(variables or {})}
        seen: dict[int, int] = {}
        for source in sources:
            for path in rule_files(source):
                self._read(path, seen)

    def _read(self, path: Path, seen: dict[int, int]) -> None:
        try:
            text = path.read_bytes()[:FILE_BYTES_MAX].decode("utf-8", "replace")
        except OSError as error:
            raise InputError(str(path), error.strerror or "cannot be read") from None
        self.paths.append(path)
        for line, rule in rule_lines(text):
            try:
                signature = compile_rule(parse_rule(rule, line), self._variables, f"{path}:{line}")
            except RuleError as error:
                self.faults.append(Fault(str(path), line, error.keyword, str(error)))
                continue
            known = seen.get(signature.sid)
            if known is None:
                seen[signature.sid] = len(self.signatures)
                self.signatures.append(signature)
            elif signature.revision > self.signatures[known].revision:
                self.signatures[known] = signature
            else:
                problem = f"sid {signature.sid} is there already, with the same or a higher revision"
                self.faults.append(Fault(str(path), line, "sid", problem))


def shipped_folder() -> Path:
    """Where the rules that ship lie: in the package, or beside it in a checkout."""
    package = Path(__file__).parents[2]
    inside = package / "shipped_signatures"
    return inside if inside.is_dir() else package.parent / "signatures"


def rule_files(source: str) -> list[Path]:
    """The files of one source, a file or a folder; raises InputError when there are none."""
    path = shipped_folder() if source == SHIPPED else Path(source)
    if path.is_dir():
        files = sorted(path.rglob("*.rules"))
        if not files:
            raise InputError(str(path), "has no files that end in .rules")
        return files
    if not path.exists():
        raise InputError(str(path), "there is no such file or folder of rules")
    return [path]
