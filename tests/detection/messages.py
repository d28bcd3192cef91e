"""Transactions with the bytes of their messages, for detectors that look into them: in: targets, bodies, answers.

The one law: what a test does not name is as ordinary as can be.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sensor.alert import Detection
from sensor.detection.stage import DetectionStage
from sensor.schema import CONTENT
from tests.detection.tables import NO_FLOWS, NO_STREAMS, SECOND, START, Pool, features_of, join, transaction


class Talk:
    """Transactions with the bytes of their messages."""

    def __init__(self) -> None:
        self.pool = Pool()
        self.rows: list[np.ndarray] = []
        self.bytes: list[tuple[bytes, bytes, bytes, bytes]] = []
        self.flags: list[int] = []  # ContentFlag

    start = START

    def raw(self, seconds: float, request: bytes, response: bytes, **given: Any) -> None:
        """One transaction as its bytes were sent."""
        head, _, body = request.partition(b"\r\n\r\n")
        answer_head, _, answer = response.partition(b"\r\n\r\n")
        self.say(seconds, "/", body, answer, answer_head=answer_head + b"\r\n\r\n", **given)
        self.bytes[-1] = (head + b"\r\n\r\n", body, answer_head + b"\r\n\r\n", answer)

    def say(self, seconds: float, target: str, body: bytes = b"", answer: bytes = b"{}", headers: bytes = b"",
            client: str = "10.0.0.1", wait_seconds: float = 0.01, answer_head: bytes = b"HTTP/1.1 200 OK\r\n\r\n",
            content_flags: int = 0, **given: Any) -> None:  # fmt: skip
        row = transaction(self.pool, seconds, client, **given)
        row["request_end_ts"] = row["ts"]
        row["response_ts"] = row["ts"] + round(wait_seconds * SECOND)
        row["response_body_len"] = len(answer)
        self.rows.append(row)
        self.flags.append(content_flags)
        method, space, rest = target.partition(" ")
        if not space:
            method, rest = "POST" if body else "GET", target
        head = method.encode() + b" " + rest.encode() + b" HTTP/1.1\r\nHost: api.test\r\n" + headers + b"\r\n"
        self.bytes.append((head, body, answer_head, answer))

    def detections(self, stage: DetectionStage, batch: int = 1 << 30) -> list[Detection]:
        rows = join(self.rows)
        found = []
        features = features_of(stage)
        for start in range(0, len(rows), batch):
            part = rows[start : start + batch]
            contents, arena = np.zeros(len(part), CONTENT), bytearray()
            names = ("request_head", "request_body", "response_head", "response_body")
            contents["flags"] = self.flags[start : start + batch]
            for content, message in zip(contents, self.bytes[start : start + batch], strict=True):
                for name, octets in zip(names, message, strict=True):
                    content[f"{name}_offset"], content[f"{name}_len"] = len(arena), len(octets)
                    arena += octets
            entities = features.process(part)
            found += stage.process(
                part, NO_FLOWS, NO_STREAMS, int(part["now"][-1]), entities, features.tables, contents,
                np.frombuffer(bytes(arena) or b"\0", np.uint8).copy(),
            )  # fmt: skip
        return found
