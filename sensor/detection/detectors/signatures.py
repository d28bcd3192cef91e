"""Signatures in Suricata's syntax: in: transactions with their bytes; out: detections of what the rules describe.

The rules that ship and those of `--rules` are read at start; when a file changes they are read again in the background
and taken over whole, while bits and counts stay. A bad file keeps the old set and says why. The one law: a rule tells
at most once of a transaction.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import SignatureSettings
from sensor.detection.detector import Batch, Strings
from sensor.detection.evidence import address, detection_of
from sensor.detection.reloading import Reloading
from sensor.detection.signatures.buffers import REQUEST, RESPONSE, Message
from sensor.detection.signatures.match import matches
from sensor.detection.signatures.network import has_address, has_port
from sensor.detection.signatures.rule import Bits, Signature
from sensor.detection.signatures.ruleset import Fault, RuleSet
from sensor.detection.signatures.scan import Candidates
from sensor.detection.signatures.state import Memory, Where
from sensor.detection.unseen import unseen_of
from sensor.detection.unseen_kernel import PieceKind
from sensor.errors import TapirError
from sensor.schema import Wanted

NOT_RELOADED = Rule(
    id="signatures-not-reloaded", version=1, title="Changed rules have faults: the old ones stay", category="health",
    kind=Kind.HEALTH, severity=Severity.MEDIUM,
)  # fmt: skip
BODY_BYTES = 65_536
CREDITS_MAX = 5_000.0
CREDITS_PER_SECOND = 5_000.0
CREDITS_PER_TRANSACTION = 0.05
"""Candidates (some 15 us each) that are tested at once, and earned by packet time and by transactions."""


class Signatures:
    """See the file's head; settings: SignatureSettings. `shed` candidates were not tested: the budget was spent."""

    rules: tuple[Rule, ...] = (NOT_RELOADED,)

    def __init__(self, settings: SignatureSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self.memory = Memory()
        self.faults = self.shed = 0
        self._sources = tuple(settings.rules)
        self._take(self._read())
        self._reloading = Reloading(self._paths, self._read)
        self._credits, self._now = CREDITS_MAX, 0

    def _take(self, rules: RuleSet) -> None:
        self.set = rules
        self.rules = (NOT_RELOADED, *(signature.rule for signature in rules.signatures))
        self.candidates = Candidates(rules, unseen_of(self.strings))
        answers = any(kind >= PieceKind.RESPONSE_LINE for kind in self.candidates.kinds)
        names = {part.buffer for signature in rules.signatures for part in signature.parts}
        answers |= bool(names & {"http.stat_code", "http.response_body", "file_data", "http.server", "http.location"})
        self.wanted = Wanted(True, BODY_BYTES, answers, BODY_BYTES if answers else 0) if rules.signatures else Wanted()

    @property
    def faulty(self) -> list[Fault]:
        """Rules that were not loaded."""
        return self.set.faults

    def take_over(self, before: Signatures) -> None:
        """Go on with the bits, counts and budget of the one before."""
        self.memory, self._credits, self._now = before.memory, before._credits, before._now

    @property
    def evicted(self) -> int:
        """What was forgotten, and candidates that were not tested."""
        return self.memory.evicted + self.shed + self.candidates.shed

    @property
    def notes(self) -> list[str]:
        """One line for each rule that could not be loaded."""
        return [str(fault) for fault in self.set.faults]

    def process(self, batch: Batch) -> list[Detection]:
        detections = self._reload(batch.now)
        if not len(batch.contents) or not self.set.signatures:
            return detections
        times = batch.transactions["now"]
        for row, count, span in self.candidates.find(batch.contents, batch.arena):
            self._earn(int(times[row]), 0)
            if self._credits < count:
                self.shed += count
                continue
            self._credits -= count
            detections += self._judge(batch, row, self.candidates.of(span))
        self._earn(batch.now, len(batch.transactions))
        return detections

    def _earn(self, now: int, rows: int) -> None:
        seconds = max(now - self._now, 0) / 1e9 if self._now else 0.0
        self._now = max(self._now, now)
        earned = seconds * CREDITS_PER_SECOND + rows * CREDITS_PER_TRANSACTION
        self._credits = min(self._credits + earned, CREDITS_MAX)

    def _judge(self, batch: Batch, row: int, signatures: list[Signature]) -> list[Detection]:
        """Test the candidates of one transaction: rules that pass before all, those of the request before those of the
        response, in each those that set bits first. What hosts are marked with (xbits) is seen from the next on.
        """
        transaction, content = batch.transactions[row], batch.contents[row]
        message = Message(Slices(content, batch.arena, "head"), Slices(content, batch.arena, "body"))
        ends = ends_of(transaction)
        told: list[Detection] = []
        marks: list[tuple[tuple[Bits, ...], Where]] = []
        answered = False
        for signature in sorted(set(signatures), key=_order):
            if signature.direction == RESPONSE and not answered:
                answered = True
                self._mark(marks)
            direction = self._matching(signature, message, ends)
            if direction is None:
                continue
            if signature.action == "pass":
                return []
            where = ends.where(direction)
            self.memory.apply(tuple(bits for bits in signature.bits if bits.scope == "flow"), where)
            marks.append((tuple(bits for bits in signature.bits if bits.scope != "flow"), where))
            if not signature.silent and self.memory.passes(signature, where):
                told.append(self._detection(signature, transaction, direction))
        self._mark(marks)
        return told

    def _mark(self, marks: list[tuple[tuple[Bits, ...], Where]]) -> None:
        for bits, where in marks:
            self.memory.apply(bits, where)
        marks.clear()

    def _matching(self, signature: Signature, message: Message, ends: Ends) -> str | None:
        """The direction in which the signature matches, None when it does not."""
        sides = (REQUEST, RESPONSE) if signature.direction == "both" else (signature.direction,)
        for direction in sides:
            if not _is_between(signature, ends, direction):
                continue
            if signature.bits and not self.memory.allows(signature.bits, ends.where(direction)):
                continue
            if matches(signature, message, direction):
                return direction
        return None

    def _detection(self, signature: Signature, transaction: Any, direction: str) -> Detection:
        details: dict[str, Any] = {
            "sid": signature.sid, "revision": signature.revision, "direction": direction, "rule_file": signature.where,
        }  # fmt: skip
        if signature.references:
            details["references"] = list(signature.references)
        return detection_of(
            transaction,
            self.strings,
            signature.rule,
            Entity("client", address(transaction, "client")),
            Numbers(observed=1.0, threshold=1.0, unit="matches", window_seconds=0.0),
            count=1,
            run=f"{transaction['uid_hi']:x}{transaction['uid_lo']:x}/{transaction['trans_depth']}/{transaction['ts']}",
            first_ts=int(transaction["ts"]),
            details=details,
        )

    def _paths(self) -> list[Path]:
        folders = [Path(source) for source in self._sources if Path(source).is_dir()]
        return [*self.set.paths, *(path for folder in folders for path in folder.rglob("*.rules"))]

    def _reload(self, now: int) -> list[Detection]:
        """Take over a set that was read in the background."""
        read = self._reloading.poll()
        if read is None:
            return []
        if isinstance(read, RuleSet) and len(read.faults) <= len(self.set.faults):
            self._take(read)
            return []
        return [_not_reloaded(str(read) if isinstance(read, TapirError) else str(read.faults[-1]), now)]

    def _read(self) -> RuleSet:
        return RuleSet(self._sources, self.settings.variables)


class Slices(dict[str, bytes]):
    """Heads or bodies of one transaction by direction, cut out of the arena when they are first asked for."""

    def __init__(self, content: Any, arena: Any, part: str) -> None:
        super().__init__()
        self._content, self._arena, self._part = content, arena, part

    def __missing__(self, direction: str) -> bytes:
        name = f"{'request' if direction == REQUEST else 'response'}_{self._part}"
        start, length = int(self._content[f"{name}_offset"]), int(self._content[f"{name}_len"])
        octets: bytes = self._arena[start : start + length].tobytes()
        self[direction] = octets
        return octets


class Ends(NamedTuple):
    """Addresses and ports of one transaction, its flow and when it was finished."""

    client: str
    client_port: int
    server: str
    server_port: int
    flow: int
    now: int

    def where(self, direction: str) -> Where:
        """As it is seen in the direction of the rule's packets."""
        ends = (self.client, self.server) if direction == REQUEST else (self.server, self.client)
        return Where(self.flow, *ends, self.now)


def ends_of(transaction: Any) -> Ends:
    return Ends(
        address(transaction, "client"), int(transaction["client_port"]), address(transaction, "server"),
        int(transaction["server_port"]), int(transaction["flow"]), int(transaction["now"]),
    )  # fmt: skip


def _order(signature: Signature) -> tuple[bool, bool, bool, int]:
    sets = any(bits.command in ("set", "unset", "toggle") for bits in signature.bits)
    return signature.action != "pass", signature.direction == RESPONSE, not sets, signature.sid


def _is_between(signature: Signature, of: Ends, direction: str) -> bool:
    """Whether addresses and ports are those of the rule's header, seen in the direction of its packets."""
    groups = signature.source, signature.target, signature.source_ports, signature.target_ports
    if not any(group.inside or group.outside for group in groups):
        return True
    ends = [(of.client, of.client_port), (of.server, of.server_port)]
    if direction == RESPONSE:
        ends.reverse()
    for one, other in (ends, ends[::-1]) if signature.either_way else (ends,):
        if (
            has_address(signature.source, one[0])
            and has_port(signature.source_ports, one[1])
            and has_address(signature.target, other[0])
            and has_port(signature.target_ports, other[1])
        ):
            return True
    return False


def _not_reloaded(problem: str, now: int) -> Detection:
    return Detection(
        now=now,
        rule=NOT_RELOADED,
        entity=Entity("sensor", "signatures"),
        numbers=Numbers(observed=1.0, threshold=0.0, unit="faults", window_seconds=0.0),
        count=1,
        run=problem,
        first_ts=now,
        last_ts=now,
        details={"problem": problem},
    )
