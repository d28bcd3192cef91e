"""The wiring: in: settings and inputs; out: batches of transactions, flows and alerts. The only file that knows every
stage.

    capture -> decode -> reassembly -> protocols -> features -> detection -> alerting

The one law: what a batch holds is good until the next batch is asked for, and what all batches hold together does not
depend on how frames were divided among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sensor.absence import Absence
from sensor.alert import Alert, Detection, Rule
from sensor.alerting.allowed import Allowance, allowances_of
from sensor.alerting.stage import AlertingStage
from sensor.batch import Batch
from sensor.capture.layout import Count as CaptureCount
from sensor.capture.live import LiveCapture, LiveCount, PreparedCapture
from sensor.capture.opening import open_files, open_live
from sensor.capture.stage import CaptureStage
from sensor.config import Settings
from sensor.counters import Counters
from sensor.decode.stage import DecodeStage
from sensor.detection.stage import DetectionStage
from sensor.detection.stage import Prepared as Detectors
from sensor.errors import InputError
from sensor.evidence.stage import EvidenceCount, EvidenceStage, evidence_of, take_turns
from sensor.features.stage import FeatureStage
from sensor.fingerprint import fingerprint_key
from sensor.gathered import NO_FLOWS, NO_STREAMS, Ended, Gathered
from sensor.limits import BLOCKS_TOGETHER, FLOWS_TOGETHER, NS
from sensor.losses import Losses
from sensor.overload import Overload, Step
from sensor.protocols.dns.stage import DnsStage
from sensor.protocols.stage import Part as Read
from sensor.protocols.stage import ProtocolStage
from sensor.protocols.tls.stage import TlsStage
from sensor.protocols.websocket.stage import WebSocketStage
from sensor.reassembly.stage import Part, ReassemblyStage
from sensor.reassembly.tables import Count as FlowCount
from sensor.reassembly.turning import turned
from sensor.schema import CONTENT, TRANSACTION, Wanted
from sensor.sharing import crew_of
from sensor.state_run import RunState
from sensor.structures.entity_table_kernels import Use
from sensor.structures.memory import Remembering
from sensor.structures.records import copied
from sensor.structures.shared_memory import shared_zeros
from sensor.structures.string_pool import StringPool
from sensor.structures.string_pool_kernels import State as PoolState
from sensor.tls import of_flows
from sensor.workers.crew import Merged

Rows = npt.NDArray[np.void]

_LAST_MINUTE_NS = 60 * NS
"""Packet time that goes by behind files with which nobody goes on, so that what is counted by the minute is judged."""
_NO_BYTES, _NO_TRANSACTIONS, _NO_CONTENTS = np.zeros(0, np.uint8), np.zeros(0, TRANSACTION), np.zeros(0, CONTENT)


class Prepared(NamedTuple):
    """What other settings change, made and not yet in use."""

    settings: Settings
    allowances: list[Allowance]
    detection: Detectors
    capture: PreparedCapture | None
    evidence: EvidenceStage | None


class _Begun(NamedTuple):
    """A batch that is being judged: what was lost before it, None when nobody judges it, and what was found."""

    batch: Batch
    lost: dict[str, int] | None = None
    detections: Sequence[Detection] = ()


class Pipeline:
    """Iterate to read the inputs. `pool` holds the strings of the present batch's transactions."""

    def __init__(
        self, settings: Settings, inputs: Sequence[str], loop: bool = False, epoch: int | None = None,
        live: LiveCapture | None = None,
    ) -> None:  # fmt: skip
        """`loop`: the inputs are replayed again and again, at capture.replay_pace. `epoch`: of this run's alerts, where
        a journal says it. `live`: packets are captured already.
        """
        self._live = live or open_live(settings.capture)
        self._capture = self._live or open_files(settings.capture, inputs, loop)
        self._decode = DecodeStage(settings.decode)
        self._keeps_evidence = loop or self._live is not None  # a capture that is read is its own evidence
        self._evidence = evidence_of(settings) if self._keeps_evidence else None
        alone = settings.workers.count == 1
        self._reassembly = ReassemblyStage(settings.reassembly, zeros=np.zeros if alone else shared_zeros)
        self._state = RunState(settings.state, self._capture.files)
        key = fingerprint_key(self._state.key_file(settings.protocols.fingerprint_key_file))
        self._crew = None if alone else crew_of(settings, self._reassembly.flows, key)
        self._protocols = self._crew or ProtocolStage(settings.protocols, self._reassembly.flows, key)
        self._dns = DnsStage(self._reassembly.flows)
        self._tls = TlsStage(settings.protocols, self._reassembly.flows)
        self._websockets = WebSocketStage(self._reassembly.flows)
        self._features = FeatureStage(settings.features, self._protocols.pool.tables)
        self._detection = DetectionStage(settings.detection, self._protocols.pool)
        self._overload = Overload(settings.overload, self._detection.names)
        self._keep()
        self._alerting = AlertingStage(settings.alerting, keeps_told=self._state.can_resume, epoch=epoch)
        self._reported: list[Detection] = []
        self._told = self._state.restore(key, self.pool, self._memories, self._alerting)
        if self._crew:
            self._crew.start(self._features, self._detection, leave=self._state.leave)
        self._losses = Losses(self._counters())
        self._absence = Absence(settings.service.silent_seconds, self._state.away)
        self._gathered = Gathered()
        self._begun: _Begun | None = None
        self._now, self._stopped = 0, False

    def stop(self) -> None:
        """Read no further than what a live capture holds already: the batches that follow hold what was still open."""
        self._stopped = True
        if self._live:
            self._live.stop()

    def report(self, detections: list[Detection]) -> None:
        """Verdicts from outside, about the sensor itself: judged with the next batch."""
        self._reported += detections

    def prepare(self, settings: Settings) -> Prepared:
        """Make what other settings change (sensor/config/reload.py), in whatever thread. Raises SettingError."""
        allowances = allowances_of(settings.alerting)
        self._overload.check(settings.overload)
        evidence = evidence_of(settings, self._evidence) if self._keeps_evidence else None
        capture = self._live.prepare(settings.capture) if self._live else None
        return Prepared(settings, allowances, self._detection.prepare(settings.detection), capture, evidence)

    def take_over(self, prepared: Prepared) -> list[str]:
        """Between two batches: go on with it, and lose nothing; names of detectors that begin anew all the same."""
        anew = self._detection.take_over(prepared.detection)
        if self._crew:
            self._crew.take_over(prepared.settings.detection)
        self._overload.take_over(prepared.settings.overload)
        self._give_way()
        self._alerting.take_over(prepared.settings.alerting, prepared.allowances)
        self._state.take_over(prepared.settings.state, self._memories)
        self._absence.silent_seconds = prepared.settings.service.silent_seconds
        if self._live and prepared.capture:
            self._live.take_over(prepared.capture)
        self._reported += take_turns(self._evidence, prepared.evidence, prepared.settings.evidence, self._now)
        self._evidence = prepared.evidence
        return anew

    def allow(self, allowances: list[Allowance]) -> None:
        """Between two batches: what a collector allows, besides the file of the settings."""
        self._alerting.pulled = allowances

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All that are looked for at present."""
        return self._detection.rules

    @property
    def _memories(self) -> Mapping[str, Remembering]:
        memories: Mapping[str, Remembering] = {"features": self._features, **self._detection.memories}
        return self._crew.memories(memories) if self._crew else memories

    def __iter__(self) -> Iterator[Batch]:
        try:
            yield from self._read()
        finally:
            if self._crew:
                self._crew.close()
            self._state.close()

    def _read(self) -> Iterator[Batch]:
        if self._told:
            yield self._without_rows(self._told)
        for block in self._capture.blocks():
            if self._evidence:
                self._evidence.keep(block.data, block.frames)
            segments, datagrams = self._decode.process(block.data, block.frames)
            self._gathered.blocks += 1
            more = block.more and self._gathered.blocks < BLOCKS_TOGETHER and self._gathered.flows < FLOWS_TOGETHER
            for part in self._reassembly.process(block.data, datagrams, segments):
                yield from self._batches(block.data, datagrams, part, more)
            if block.now:
                for part in self._reassembly.advance(block.now):
                    yield from self._batches(block.data, datagrams, part)
            self._keep_up()
            if not block.more or self._state.is_due(self._now):
                yield from self._end()
            self._reported += self._state.checkpoint(self._now, self.bytes_read)
            if self._evidence:
                self._reported += self._evidence.tend(self._now)
            if self._stopped and not self._live:
                break
        self._keep_up(last=True)
        yield from self._end()
        if self._stopped:
            self._state.interrupt(self._now, self.bytes_read)
        for part in self._reassembly.finish():
            yield from self._batches(_NO_BYTES, _NO_BYTES, part)
        yield from self._end()
        waiting = self._dns.finish(self._now)
        if self._now and not (self._live or self._stopped or self._state.is_kept):
            self._now += _LAST_MINUTE_NS
        self._begin(Read(_NO_TRANSACTIONS, _NO_CONTENTS, _NO_BYTES, True), Ended(dns=waiting))
        yield from self._end()
        last = self._alerting.finish(self._now)
        if self._evidence:
            self._evidence.want(last, self._now)
            self._evidence.tend(self._now, last=True)
        yield self._without_rows(last)
        self._state.finish(self._now, self.bytes_read)

    def _batches(
        self, data: npt.NDArray[np.uint8], datagrams: npt.NDArray[np.uint8], part: Part, more: bool = False
    ) -> Iterator[Batch]:
        """One, or none when `more` blocks are judged with this one; several when the transactions do not fit in their
        table. Time moves on with the last.
        """
        self._overload.leave_unread(part.chunks, self._reassembly.flows, self._reassembly.counters[FlowCount.FLOWS])
        dns = self._dns.process(data, datagrams, self._reassembly.pages, part.chunks, part.dns_chunks, part.now)
        tls = self._tls.process(data, datagrams, self._reassembly.pages, part.chunks)
        last = None
        yield from self._end()
        for read in self._protocols.process(data, datagrams, self._reassembly.pages, part.chunks, more):
            if read.last:
                last = read
            elif len(read.transactions):
                self._now = max(self._now, int(read.transactions["now"][-1]), self._gathered.now)
                self._begin(read, self._gathered.take())  # of blocks before: no flow is judged later than its time
                yield from self._end()
        found = self._protocols.tunnels, data, datagrams, self._reassembly.pages, part.chunks
        tls += self._tls.process_tunnels(*found)
        told = turned(copied(part.told), copied(part.told_streams)) if len(part.told) else (NO_FLOWS, NO_STREAMS)
        ended = self._reassembly.copies(part.ended)
        self._gathered.add(Ended(*ended, *told, tls, self._websockets.process(*found), dns), part.now)
        if last:
            self._now = max(self._now, part.now)
            self._begin(last, self._gathered.take())
            if not self._crew:
                yield from self._end()

    def _begin(self, read: Read | Merged, ended: Ended) -> None:
        """Have a batch judged. Workers go on with it beside the next block; `_end` waits for them."""
        now, (flows, streams, told, told_streams, tls, websockets, dns) = self._now, ended
        batch = Batch(read.transactions, flows, streams, [], now, read.contents, read.arena, tls, websockets, dns)
        fresh = self._state.fresh(read.transactions, flows, streams, told, told_streams, dns, now)
        if fresh is None:
            self._begun = _Begun(batch)
            return
        fresh_tls = of_flows(tls, set(fresh[1]["serial"].tolist())) if len(fresh[1]) < len(flows) else tls
        detections: list[Detection] = []
        if self._crew:
            self._crew.judge(*fresh, now, fresh_tls)
        else:
            contents = read.contents[len(read.transactions) - len(fresh[0]) :]
            entities = self._features.process(fresh[0])
            detections = self._detection.process(
                *fresh[:3], now, entities, self._features.tables, contents, read.arena, *fresh[3:5], tls=fresh_tls,
                dns=fresh[5],
            )
        self._overload.note_rows(len(fresh[0]))
        self._begun = _Begun(batch, self._losses.so_far, detections)

    def _end(self) -> Iterator[Batch]:
        """The batch that was begun, if there is one: before anything that it is made of changes."""
        if not self._begun:
            return
        (batch, lost, detections), self._begun = self._begun, None
        if lost is None:
            yield batch
            return
        if self._crew:
            detections = self._crew.verdicts()
        found, self._reported = [*detections, *self._reported], []
        alerts = self._alerting.process(found, batch.now, self._losses.at_verdict(lost), self._losses.seen)
        if self._evidence:
            self._evidence.want(alerts, batch.now)
        yield batch._replace(alerts=alerts)

    def _keep(self) -> None:
        """Let the protocols keep of messages what the detectors want, unless that gives way."""
        wanted, every = self._detection.wanted, self._detection.every_response
        self._protocols.keep(*((Wanted(), False) if self._overload.step >= Step.CONTENTS else (wanted, every)))

    def _keep_up(self, last: bool = False) -> None:
        """After a block of a live capture: leave more undone, or less, and tell what was lost."""
        before = self._overload.step
        if self._live:
            frames, missing = self._live.counters[CaptureCount.FRAMES], self._live.losses[LiveCount.INTERFACES_LOST]
            self._losses.note(*self._live.lost, self._now)
            self._reported += self._absence.observe(frames, missing, self._now, self._live.packets)
        if not isinstance(self._capture, CaptureStage):
            self._reported += self._overload.keep_up(self._capture, self._now, last=last)
        if self._overload.step != before:
            self._give_way()

    def _give_way(self) -> None:
        """Leave undone what the present step says."""
        self._keep()
        self._detection.resting = self._overload.resting

    def _without_rows(self, alerts: list[Alert]) -> Batch:
        return Batch(_NO_TRANSACTIONS, NO_FLOWS, NO_STREAMS, alerts, self._now, _NO_CONTENTS, _NO_BYTES)

    @property
    def pool(self) -> StringPool:
        """The strings that transactions refer to."""
        return self._protocols.pool

    @property
    def faults(self) -> list[InputError]:
        """Inputs that could not be read, or not to their end."""
        return self._capture.faults

    @property
    def bytes_total(self) -> int | None:
        """Bytes of all inputs; None when one of them has no known end."""
        return self._capture.bytes_total

    @property
    def bytes_read(self) -> int:
        return self._capture.bytes_read

    @property
    def unknown_links(self) -> list[str]:
        """One line for each link type that is not decoded."""
        return self._decode.unknown_link_lines()

    @property
    def notes(self) -> list[str]:
        """What the user should know of the state that was found and of rules that were not loaded, a line each."""
        return [*self._state.notes, *self._detection.notes]

    def fills(self) -> dict[str, tuple[int, int]]:
        """How full the tables are that traffic fills: rows taken and rows, by table."""
        strings = len(self.pool.tables.entries)
        entities = self._features.tables._asdict() if not self._crew else {}
        fills = {
            **{name: (int(each.state[Use.ROWS]), each.rows) for name, each in entities.items()},
            "strings": (strings - int(self.pool.tables.state[PoolState.FREE]), strings),
            **self._reassembly.fills(),
            **self._protocols.fills(),
        }
        if self._live:
            fills["ring"] = self._live.ring_fill
        return fills

    @property
    def waited_seconds(self) -> float:
        """For packets, so far; 0 of files that are read."""
        return 0.0 if isinstance(self._capture, CaptureStage) else self._capture.waited_seconds

    @property
    def spent_ns(self) -> dict[str, int]:
        """Time that each detector has taken, ns."""
        return self._detection.spent_ns

    def counter_names(self) -> dict[str, type[IntEnum]]:
        """What each stage counts, by stage, those of live captures and of evidence too."""
        names = {stage: counters.names for stage, counters in self._counters().items()}
        return {**names, "live": LiveCount, "evidence": EvidenceCount}

    def counters(self) -> dict[str, dict[str, int]]:
        """What each stage counted, by stage."""
        counts = {stage: counters.as_dict() for stage, counters in self._counters().items()}
        counts["protocols"]["strings_rejected"] = self.pool.rejected
        return counts

    def _counters(self) -> dict[str, Counters]:
        live = {"live": self._live.losses} if self._live else {}
        evidence = {"evidence": self._evidence.counters} if self._evidence else {}
        return {
            "capture": self._capture.counters,
            **live,
            "decode": self._decode.counters,
            "fragments": self._decode.fragments,
            "reassembly": self._reassembly.counters,
            "protocols": self._protocols.counters,
            "coding": self._protocols.coding,
            "dns": self._dns.counters,
            "tls": self._tls.counters,
            "websocket": self._websockets.counters,
            "features": self._features.counters,
            "detection": self._detection.counters,
            "alerting": self._alerting.counters,
            "state": self._state.counters,
            "overload": self._overload.counters,
            **evidence,
        }
