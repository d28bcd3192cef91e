#!/usr/bin/env python3
"""What is said of benign traffic: in: captures of which no request is an attack; out: requests and alerts by severity.

    python -m tests.bench.judge_benign benign.pcap [--show 40]

For injection each request counts in which something was found, though its alerts would be folded by client; of all
other detectors the alerts count. The one law: nothing is left unjudged, the budget of judged pieces is lifted.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sensor.alert import Detection
from sensor.config import DetectionSettings, InjectionSettings, Settings
from sensor.detection.detector import Batch
from sensor.detection.injection.finding import STRONG
from sensor.detection.injection.search import Hit
from sensor.pipeline import Pipeline


class Told:
    """What injection said of each request: the worst of its findings."""

    def __init__(self, detector: Any) -> None:
        self.requests = self.low = self.medium = 0
        self.kinds: Counter[str] = Counter()
        self.samples: list[tuple[Any, ...]] = []
        self._process, self._search = detector.process, detector.found.search
        detector.process, detector.found.search = self.process, self.search

    def process(self, batch: Batch) -> list[Detection]:
        self.requests += len(batch.transactions)
        found: list[Detection] = self._process(batch)
        return found

    def search(self, *given: Any) -> list[Hit]:
        hits: list[Hit] = self._search(*given)
        worst: dict[int, Hit] = {}
        for hit in hits:
            if hit.row not in worst or hit.finding.points > worst[hit.row].finding.points:
                worst[hit.row] = hit
        for hit in worst.values():
            strong = hit.finding.points >= STRONG
            self.medium, self.low = self.medium + strong, self.low + (not strong)
            self.kinds[f"{hit.finding.kind}: {hit.finding.evidence}"] += 1
            self.samples.append((*reversed(hit.finding), hit.value.place, hit.value.text))
        return hits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--show", type=int, default=20, help="samples of what was said, at most")
    given = parser.parse_args()
    lifted = msgspec.structs.replace(InjectionSettings(), judged_per_second=10**6)
    settings = Settings(detection=msgspec.structs.replace(DetectionSettings(), injection=lifted))
    pipeline = Pipeline(settings, given.files)
    told = Told(pipeline._detection.detectors["injection"])
    alerts: dict[str, tuple[str, str]] = {}
    days, begun = [0, 0], time.process_time()
    for batch in pipeline:
        alerts.update((alert.alert_id, (alert.severity.name.lower(), alert.rule_id)) for alert in batch.alerts)
        if len(batch.transactions):
            days = [days[0] or int(batch.transactions[0]["ts"]), int(batch.transactions[-1]["ts"])]
    shed = pipeline._detection.detectors["injection"].shed
    seconds, spent = (days[1] - days[0]) / 1e9, time.process_time() - begun
    print(f"{told.requests} requests in {seconds:.0f} s of traffic, {spent:.0f} s of CPU, {shed} not judged")
    share = told.low / max(told.requests, 1) * 1e4
    print(f"injection: {told.medium} requests at medium or above, {told.low} at low ({share:.2f} in 10,000)")
    for kind, count in told.kinds.most_common(60):
        print(f"  {count:6} {kind}")
    print("alerts by severity and rule:")
    for (severity, rule), count in sorted(Counter(alerts.values()).items(), key=lambda item: -item[1]):
        print(f"  {count:6} {severity} {rule}")
    shown: Counter[str] = Counter()
    for evidence, points, kind, place, text in told.samples:
        if sum(shown.values()) < given.show and shown[evidence] < 6:
            shown[evidence] += 1
            print(f"--- {points} {kind} ({evidence}) in {place}\n{text[:1200]!r}")


if __name__ == "__main__":
    main()
