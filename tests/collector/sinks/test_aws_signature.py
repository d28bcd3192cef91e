"""AWS Signature Version 4 against botocore, which is AWS's own."""

from __future__ import annotations

from datetime import UTC, datetime

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from sensor.collector.sinks.aws_signature import Key, signed

NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


@given(NAMES, SECRETS, NAMES, st.binary(max_size=200), st.integers(0, 4_000_000_000), NAMES)
def test_as_botocore_signs(user, secret, region, body, now, target):
    key = Key(user, secret, region, "kinesis")
    headers = {"Host": "kinesis.example.net:8443", "X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
    theirs = AWSRequest("POST", "https://kinesis.example.net:8443/", data=body, headers=headers)
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    theirs.context["timestamp"] = stamp
    theirs.headers["X-Amz-Date"] = stamp
    auth = SigV4Auth(Credentials(user, secret), "kinesis", region)
    text = auth.string_to_sign(theirs, auth.canonical_request(theirs))
    expected = auth.signature(text, theirs)
    assert signed(key, "/", headers, body, now)["Authorization"].rpartition("Signature=")[2] == expected
