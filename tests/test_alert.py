"""The alert's contract: the published schema is current, alerts fit it and survive encoding, ids come from content."""

from pathlib import Path

import jsonschema
import msgspec
import pytest

from sensor.alert import (
    RESPOND_WITHIN,
    RESPOND_WITHIN_SECONDS,
    Alert,
    Entity,
    Severity,
    alert_id_of,
    json_schema,
    seconds,
)
from sensor.alerting.stage import AlertingStage
from sensor.config import AlertingSettings
from tests.alerting.detections import detection

PUBLISHED = Path(__file__).parents[1] / "docs" / "alert.schema.json"


def alert():
    stage = AlertingStage(AlertingSettings(sensor="tap-1"))
    (raised, *_) = stage.process([detection(1)], 10**12, {"flows_evicted": 3, "shed": 0})
    return raised


def test_the_published_schema_is_current():
    assert PUBLISHED.read_bytes() == json_schema(), "run: python -m sensor.alert > docs/alert.schema.json"


def test_an_alert_fits_the_published_schema():
    schema = msgspec.json.decode(PUBLISHED.read_bytes())
    shown = msgspec.json.decode(msgspec.json.encode(alert()))
    jsonschema.validate(shown, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(shown | {"severity": "terrible"}, schema)


def test_an_alert_survives_json_and_messagepack():
    one = alert()
    assert msgspec.json.decode(msgspec.json.encode(one), type=Alert) == one
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=Alert) == one


def test_fields_keep_their_order_and_are_all_there():
    """The encoding is deterministic, and absent values are null rather than missing."""
    shown = msgspec.json.decode(msgspec.json.encode(alert()))
    assert tuple(shown) == Alert.__struct_fields__
    assert shown["community_id"] is None


def test_only_losses_that_happened_are_stamped():
    assert alert().degraded == {"flows_evicted": 3}


def test_every_severity_says_how_soon_to_respond():
    assert [RESPOND_WITHIN[severity] for severity in Severity] == ["now", "15 min", "1 h", "24 h"]
    assert [RESPOND_WITHIN_SECONDS[severity] for severity in Severity] == [0, 900, 3_600, 86_400]


def test_the_id_is_made_of_all_its_parts():
    parts = [("a", "r", Entity("client", "10.0.0.1"), 5), ("b", "r", Entity("client", "10.0.0.1"), 5),
             ("a", "s", Entity("client", "10.0.0.1"), 5), ("a", "r", Entity("server", "10.0.0.1"), 5),
             ("a", "r", Entity("client", "10.0.0.2"), 5), ("a", "r", Entity("client", "10.0.0.1"), 6)]  # fmt: skip
    ids = [alert_id_of(*part) for part in parts]
    assert len(set(ids)) == len(ids)
    assert alert_id_of(*parts[0]) == ids[0]
    assert all(len(one) == 32 and set(one) <= set("0123456789abcdef") for one in ids)


def test_times_are_exact_to_the_microsecond():
    assert seconds(1_795_252_794_181_233_000) == 1795252794.181233
    assert str(seconds(1_795_252_794_181_233_499)) == "1795252794.181233"
