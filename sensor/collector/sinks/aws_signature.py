"""AWS Signature Version 4: a POST request goes in, the headers that sign it come out.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. Law: the secret key
leaves this file as HMACs alone.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from typing import NamedTuple


class Key(NamedTuple):
    """Of an access key; `region` and `service` are those of the host that is asked."""

    access_key_id: str
    secret_access_key: str
    region: str
    service: str


def signed(key: Key, path: str, headers: dict[str, str], body: bytes, now: float) -> dict[str, str]:
    """`headers`, which hold Host, with X-Amz-Date and Authorization. `path` has no query; `now`: seconds since 1970."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{key.region}/{key.service}/aws4_request"
    headers = headers | {"X-Amz-Date": stamp}
    canonical = sorted((name.lower(), " ".join(value.split())) for name, value in headers.items())
    names = ";".join(name for name, _ in canonical)
    lines = "".join(f"{name}:{value}\n" for name, value in canonical)
    request = f"POST\n{path}\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    secret = f"AWS4{key.secret_access_key}".encode()
    for word in scope.split("/"):
        secret = _hmac(secret, word)
    signature = _hmac(secret, to_sign).hex()
    credential = f"Credential={key.access_key_id}/{scope}"
    return headers | {"Authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders={names}, Signature={signature}"}


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
