"""A webhook: a notice goes in, one HTTP POST comes out, with a body of one's own template and a signature.

    X-Tapir-Delivery   number of the delivery, the same when it is tried again
    X-Tapir-Timestamp  seconds since 1970
    X-Tapir-Signature  sha256=HEX: HMAC-SHA256 by the secret over TIMESTAMP, a dot, and the body

Law: only an answer of 2xx is a delivery, and redirects are not followed: nobody else gets the body or the headers.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time

from sensor.collector.channels import Undelivered
from sensor.collector.http_connection import HttpConnection, NoAnswer
from sensor.collector.notice import Notice, check_places, filled


class Webhook:
    """`address`, `headers` and `secret` hold no ${VARIABLE} any more; `key` names the channel in SettingErrors."""

    def __init__(
        self, address: str, headers: dict[str, str], body: str, secret: str, timeout_seconds: float, key: str
    ) -> None:
        check_places(body, f"{key}: body")
        self._connection = HttpConnection(address, f"{key}: webhook", timeout_seconds)
        self._headers = {"Content-Type": "application/json"} | headers
        self._template, self._secret = body, secret.encode()

    def send(self, notice: Notice, delivery: int) -> None:
        body = self._body(notice)
        stamp = str(int(time.time()))
        headers = self._headers | {"X-Tapir-Delivery": str(delivery), "X-Tapir-Timestamp": stamp}
        if self._secret:
            signature = hmac.new(self._secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
            headers["X-Tapir-Signature"] = f"sha256={signature}"
        try:
            status = self._connection.post(body, headers).status
        except NoAnswer as error:
            raise Undelivered(str(error)) from None
        finally:
            self._connection.close()
        if not 200 <= status < 300:
            raise Undelivered(f"answered {status}")

    def _body(self, notice: Notice) -> bytes:
        if not self._template:
            return json.dumps(notice.fields).encode()
        return filled(self._template, notice, "json" in self._headers["Content-Type"]).encode()
