"""Two ends of TLS by OpenSSL, in memory: in: a version; out: what each side sends, and packets of it."""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path

from tests.traffic import Talk

Turns = list[tuple[int, bytes]]
REQUEST, ANSWER = b"q" * 100, b"a" * 40_000
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


class Ends:
    """A client's and a server's context that remember sessions."""

    def __init__(self, pair: Path, version: ssl.TLSVersion) -> None:
        self.server, self.client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.server.load_cert_chain(pair / "cert.pem", pair / "key.pem")
        self.client.load_verify_locations(pair / "cert.pem")
        self.client.check_hostname = False
        self.client.minimum_version = self.client.maximum_version = version
        for context in (self.server, self.client):
            context.set_alpn_protocols(["h2", "http/1.1"])
        self.session: ssl.SSLSession | None = None

    def converse(self) -> Turns:
        """One connection with a request and an answer: what each side sends, in turns."""
        up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = self.client.wrap_bio(down, up, server_hostname="api.example.com", session=self.session)
        server = self.server.wrap_bio(up, down, server_side=True)
        turns: Turns = []

        def passed(bio: ssl.MemoryBIO, side: int) -> None:
            content = bio.read()
            if content:
                turns.append((side, content))
                bio.write(content)

        for _ in range(4):
            for end, bio, side in ((client, up, 0), (server, down, 1)):
                with contextlib.suppress(ssl.SSLWantReadError):
                    end.do_handshake()
                passed(bio, side)
        client.write(REQUEST)
        passed(up, 0)
        assert server.read(1_000) == REQUEST
        server.write(ANSWER)
        passed(down, 1)
        read = b""
        while len(read) < len(ANSWER):
            read += client.read(65_536)
        self.session = client.session
        return turns


def talk_of(turns: Turns, mss: int = 1_460, port: int = 8_443) -> Talk:
    talk = Talk(target_port=port, mss=mss).open()
    for side, content in turns:
        talk.say(side, content)
    return talk.close()
