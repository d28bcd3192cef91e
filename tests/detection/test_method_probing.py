"""Method probing: several methods refused at several endpoints; pages whose OPTIONS are refused, and a service that
takes no changes for a while, are none.
"""

from __future__ import annotations

import pytest

from sensor.alert import Severity
from tests.detection.tables import real_alerts, run_transactions
from tests.detection.watched import Watched

CLIENT = "10.0.0.66"


class Wire(Watched):
    detector = "method_probing"

    def refused(self, seconds: float, method: str, endpoint: str, client: str = CLIENT, status: int = 405) -> Wire:
        self.add(seconds, client, method=method, endpoint=endpoint, uri=endpoint, status_code=status)
        return self

    def probed(self, methods: str, client: str = CLIENT, status: int = 405, start: float = 100) -> Wire:
        for number, method in enumerate(methods.split() * 4):
            self.refused(start + 3 * number, method, f"/api/{number // len(methods.split())}", client, status)
        return self

    def severities(self, batch: int = 1 << 30) -> list[Severity | None]:
        return [hit.severity for hit in self.found(batch) if hit.entity.value == CLIENT]


@pytest.mark.parametrize("batch", [1, 7, 1 << 30])
@pytest.mark.parametrize("status", [405, 501, 403])
def test_several_methods_at_several_endpoints(batch: int, status: int) -> None:
    hits = Wire().probed("PUT DELETE PATCH", status=status).found(batch)
    assert {(hit.rule.id, hit.entity.value, hit.severity) for hit in hits} == {("method-probing", CLIENT, None)}
    assert hits[0].numbers.observed == 8
    assert hits[0].details["methods"] == 3


def test_a_method_that_nobody_uses_is_told_of_at_low() -> None:
    wire = Wire().refused(1, "TRACE", "/api", status=405).refused(2, "PROPFIND", "/api", status=207)
    assert wire.severities() == [Severity.LOW]


def test_a_page_whose_options_are_refused_everywhere() -> None:
    assert Wire().probed("OPTIONS", start=1).probed("OPTIONS", start=500).found() == []


def test_a_service_that_takes_no_changes_for_a_while() -> None:
    wire = Wire().probed("PUT DELETE PATCH", start=200)
    for number in range(6):
        wire.probed("PUT DELETE PATCH", f"10.0.0.{number}")
    assert wire.severities() == []


def test_reading_that_is_forbidden_is_the_business_of_others() -> None:
    assert Wire().probed("GET POST HEAD", status=403).found() == []


def test_a_restart_costs_nothing() -> None:
    wire = Wire().probed("PUT DELETE PATCH")
    assert wire.restarted(5) == wire.found()
    assert not wire.stage().memories["detection.method_probing"].restore({})


def test_what_is_remembered_is_bounded() -> None:
    wire = Wire(clients_max=4)
    for number in range(40):
        wire.refused(number, "PUT", "/a", f"10.0.9.{number}")
    stage = wire.stage()
    assert run_transactions(stage, wire.sorted()) == []
    assert stage.detectors["method_probing"].evicted == 36


@pytest.mark.parametrize("name", ["01a-benign", "04-dirbrute"])
def test_real_traffic_has_none(name: str) -> None:
    assert "method-probing" not in {alert["rule_id"] for alert in real_alerts(name) if alert["severity"] != "low"}
