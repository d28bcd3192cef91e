"""Alerts in other formats: what each schema requires is there, with values that it allows; hostile text stays text."""

from __future__ import annotations

import ipaddress
import json
import re
from datetime import datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.alert import Alert, Entity, Http, Severity, State
from sensor.export.formats import FORMATS
from sensor.export.formats.cef import cef
from sensor.export.formats.ecs import ecs
from sensor.export.formats.eve import eve
from sensor.export.formats.native import native
from sensor.export.formats.ocsf import ocsf
from tests.bus.alerts import an_alert

ALERTS = [an_alert(severity=severity, state=state) for severity in Severity for state in State] + [
    an_alert(client_ip=None, client_port=None, server_ip=None, server_port=None, http=None, owasp=(), attack=()),
    an_alert(client_ip="2001:db8::1", server_ip="2001:db8::2", community_id="1:x="),
]
each = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert.severity} {alert.state} {alert.client_ip}")


@each
def test_native_is_the_alert(alert):
    assert FORMATS["native"](alert) == msgspec.json.encode(alert)


@each
def test_eve_has_what_its_schema_requires(alert):
    """etc/schema.json of Suricata: timestamp and event_type; of alert these, with severity 1 to 3 as it uses them."""
    found = eve(alert)
    datetime.strptime(found["timestamp"], "%Y-%m-%dT%H:%M:%S.%f%z")
    assert found["event_type"] == "alert"
    assert found["alert"].keys() >= {"action", "gid", "signature_id", "rev", "signature", "category", "severity"}
    assert found["alert"]["severity"] in (1, 2, 3)
    assert 0 <= found["alert"]["signature_id"] < 1 << 32
    assert None not in found.values()


@each
def test_ecs_has_what_it_requires_and_only_values_that_it_allows(alert):
    found = ecs(alert)
    assert datetime.fromisoformat(found["@timestamp"]).timestamp() == alert.ts
    assert re.fullmatch(r"8\.\d+\.\d+", found["ecs"]["version"])
    assert found["event"]["kind"] == "alert"
    assert set(found["event"]["category"]) <= {"intrusion_detection", "network", "host"}
    assert found["event"]["type"] == ["info"]
    for side in ("source", "destination"):
        if side in found:
            ipaddress.ip_address(found[side]["ip"])
    assert None not in found.values()


@each
def test_ocsf_has_the_required_attributes_of_a_detection_finding(alert):
    found = ocsf(alert)
    assert {"activity_id", "category_uid", "class_uid", "type_uid", "time", "severity_id"} <= found.keys()
    assert {"metadata", "finding_info"} <= found.keys()
    assert (found["class_uid"], found["category_uid"]) == (2004, 2)
    assert found["type_uid"] == 200_400 + found["activity_id"]
    assert found["activity_id"] in (1, 2, 3)
    assert found["severity_id"] in (2, 3, 4, 5)
    assert isinstance(found["time"], int)
    assert {"version", "product"} <= found["metadata"].keys()
    assert "name" in found["metadata"]["product"]
    assert {"uid", "title"} <= found["finding_info"].keys()
    assert all("uid" in attack["technique"] for attack in found["finding_info"]["attacks"])


def parsed(line: str) -> tuple[list[str], dict[str, str]]:
    """A CEF line, read as its specification says: unescaped | end header fields, unescaped = end keys."""
    *header, extension = re.split(r"(?<!\\)(?:\\\\)*\|", line, maxsplit=7)
    fields: dict[str, str] = {}
    keys = list(re.finditer(r"(?:^| )([A-Za-z0-9]+)=", extension))
    for at, key in enumerate(keys):
        end = keys[at + 1].start() if at + 1 < len(keys) else len(extension)
        raw = extension[key.end() : end]
        plain = re.sub(r"\\(.)", lambda found: {"n": "\n", "r": "\r"}.get(found[1], found[1]), raw)
        fields[key[1]] = plain
    return header, fields


@each
def test_cef_has_its_header_and_its_values(alert):
    header, fields = parsed(cef(alert).decode())
    assert header[:3] == ["CEF:0", "Tapir", "Tapir"]
    assert header[4:6] == [alert.rule_id, alert.title]
    assert 0 <= int(header[6]) <= 10
    assert fields["externalId"] == f"{alert.alert_id}-1"
    address = alert.client_ip or ""
    assert fields.get("c6a2" if ":" in address else "src", "") == address


hostile = st.text(alphabet=st.sampled_from("a|=\\\r\n \t\"'é\u2028\x00"), max_size=12)


@given(title=hostile, uri=hostile, value=hostile)
def test_no_text_ends_a_field_of_cef_or_a_line(title, uri, value):
    alert = an_alert(title=title, http=Http(method="GET", uri=uri), entity=Entity("client", value))
    line = cef(alert).decode()
    assert "\n" not in line
    assert "\r" not in line
    assert parsed(line)[1]["request"] == uri
    assert parsed(line)[1]["cs1"] == f"client {value}"
    header = line.split("|", 1)[1]
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", header)) >= 6


@pytest.mark.parametrize("name", FORMATS)
@given(title=hostile)
def test_every_format_is_one_line_whatever_the_text(name, title):
    line = FORMATS[name](an_alert(title=title, details={"note": title}))
    assert b"\n" not in line
    if name != "cef":
        assert isinstance(json.loads(line), dict)


def test_the_native_one_can_be_read_back():
    assert msgspec.convert(native(ALERTS[0]), Alert) == ALERTS[0]
