"""The stage: order, counters, faults; and real benign traffic, on which no detector says a word."""

import msgspec
import numpy as np
import pytest

from sensor.alert import Kind
from sensor.config import DetectionSettings
from sensor.detection.detector import sweep
from sensor.detection.detectors import DETECTORS
from sensor.detection.stage import DetectionStage
from sensor.schema import ConnState
from tests.detection.tables import (
    NO_FLOWS,
    NO_STREAMS,
    NO_TRANSACTIONS,
    Pool,
    features_of,
    flow,
    join,
    login,
    read_server_log,
    run_flows,
    run_transactions,
)


def test_every_detector_has_its_settings_and_can_be_switched_off():
    assert list(DETECTORS) == [field.name for field in msgspec.structs.fields(DetectionSettings)]
    off = {name: {"enabled": False} for name in DETECTORS}
    assert DetectionStage(msgspec.convert(off, DetectionSettings), Pool()).detectors == {}


def test_rule_ids_are_unique_and_fit_a_topic():
    rules = [rule for detector in DETECTORS.values() for rule in detector.rules]
    assert len({rule.id for rule in rules}) == len(rules)
    assert all(set(part) <= set("abcdefghijklmnopqrstuvwxyz-") for rule in rules for part in (rule.id, rule.category))


def test_detections_come_in_order_of_packet_time_and_are_counted():
    pool = Pool()
    stage = DetectionStage(DetectionSettings(), pool)
    rows = [flow(i, ConnState.REJ, port=i) for i in range(40)]
    flows, streams = (join(list(parts)) for parts in zip(*rows, strict=True))
    logins = join([login(pool, i, account=5) for i in range(40)])
    features = features_of(stage)
    found = stage.process(
        logins, flows, streams, int(logins["now"][-1]), features.process(logins), features.tables
    )
    order = [(one.now, one.rule.id) for one in found]
    assert order == sorted(order)
    blaming = {one.rule.id for one in found if one.rule.kind != Kind.POSTURE}
    assert blaming == {"port-scan-vertical", "brute-force-login", "brute-force-account"}
    assert stage.counters.as_dict() == {
        "transactions": 40, "flows": 40, "detections": len(found), "evicted": 0, "kernel_fault": 0,
        "rule_faults": 0,
    }  # fmt: skip


def test_an_empty_batch_is_nothing():
    stage = DetectionStage(DetectionSettings(), Pool())
    features = features_of(stage)
    entities = features.process(NO_TRANSACTIONS)
    assert stage.process(NO_TRANSACTIONS, NO_FLOWS, NO_STREAMS, 0, entities, features.tables) == []


def test_more_hits_than_room_are_all_taken():
    """3,000 clients go over the threshold within one batch, more than the table of hits holds."""
    pool = Pool()
    rows = join([login(pool, i, f"10.1.{c // 250}.{c % 250}") for i in range(6) for c in range(3_000)])
    found = run_transactions(DetectionStage(DetectionSettings(), pool), rows)
    assert len({one.client_ip for one in found}) == len(found) == 3_000


def test_a_row_on_which_a_kernel_raises_is_left_out_and_counted():
    progress, seen, collected = np.zeros(2, np.int64), [], []

    def kernel(start):
        for row in range(start, 6):
            progress[:] = row, len(seen)
            if row in (2, 5):
                raise IndexError
            seen.append(row)
        return 6

    assert sweep(kernel, 6, progress, collected.append) == 2
    assert seen == [0, 1, 3, 4]
    assert len(collected) == 2


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("01a-benign", set()), ("02-nmap-fast", {"method-probing", "scanner-software"}),
        ("04-dirbrute", {"request-rate-outlier", "scanner-software", "web-scan"}), ("12-beacon", set()),
        ("13-stolen-token", {"token-shared", "tool-in-account"}), ("15a-error-spike", {"error-spike"}),
        ("17-cleartext-creds", set()),
    ],
)  # fmt: skip
def test_real_traffic_gives_what_is_in_it(name, rules):
    pool = Pool()
    found = run_transactions(DetectionStage(DetectionSettings(), pool), read_server_log(name, pool), 500)
    assert {one.rule.id for one in found if one.rule.kind != Kind.POSTURE} == rules


def test_flows_and_streams_of_a_batch_belong_together():
    """The second flow's streams decide about the second flow."""
    quiet = [flow(i, ConnState.RSTO, port=i, payload=(1, 1)) for i in range(30)]
    loud = [flow(i, ConnState.RSTO, port=i, client="10.0.0.2") for i in range(30)]
    rows = [row for pair in zip(quiet, loud, strict=True) for row in pair]
    assert {one.client_ip for one in run_flows(DetectionStage(DetectionSettings(), Pool()), rows)} == {"10.0.0.2"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"port_scan": {"ports_min": 0}},
        {"failed_logins": {"client_window_seconds": 0}},
        {"bulk_transfer": {"endpoints_max": 1}},
        {"bulk_transfer": {"bytes_max": -1}},
        {"port_scan": {"hosts": 3}},
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(wrong):
    ((detector, given),) = wrong.items()
    with pytest.raises(msgspec.ValidationError, match=f"{next(iter(given))}|unknown field"):
        msgspec.convert({detector: given}, DetectionSettings)
