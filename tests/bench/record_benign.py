#!/usr/bin/env python3
"""Benign API traffic of real clients, recorded: in: how many requests; out: a capture, of which none is an attack.

    python -m tests.bench.record_benign benign.pcap --requests 200000
    tapir read benign.pcap --alerts alerts.jsonl --set detection.injection.judged_per_second=100000

curl, node, requests and httpx talk to nginx over the loopback while tcpdump records (root). What they send: forum posts
of real prose and code (benign_texts.py), names, free text in eight languages, filters, file names of this machine,
tokens, GraphQL, forms, multipart and XML. `--packages FOLDER [--of pastes]` has texts
(benign_documents.py, benign_pastes.py) that nobody looked at.
The law: the same seed asks for the same; only what this machine has installed differs.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench import benign_documents, benign_pastes
from tests.bench.benign_requests import Maker
from tests.bench.benign_texts import VOCABULARIES, Texts
from tests.ports import free_port

NGINX = """worker_processes 1; daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{ access_log off; client_body_temp_path {folder}/body; keepalive_requests 100000000;
server {{ listen 127.0.0.1:{port}; default_type application/json; location / {{ return 200 '{{"ok":true}}'; }} }} }}"""
NODE = """
const http = require('http'), fs = require('fs');
const agent = new http.Agent({keepAlive: true, maxSockets: 8});
const rows = fs.readFileSync(process.argv[1], 'utf8').trim().split('\\n'); let next = 0;
function one() {
  if (next >= rows.length) return;
  const [method, path, headers, body] = JSON.parse(rows[next++]);
  const asked = http.request({agent, method, path, headers, host: '127.0.0.1', port: +process.argv[2]}, answer => {
    answer.resume(); answer.on('end', one); });
  asked.on('error', one); asked.end(body);
}
for (let i = 0; i < 8; i++) one();
"""
SETS = {"documents": benign_documents, "pastes": benign_pastes}
LANGUAGES = ("", "python", "sh", "js", "sql", "text")
Asked = tuple[str, str, dict[str, str], str]
"""Method, target, headers, body."""


class Visitor:
    """Makes requests, one after the other."""

    def __init__(self, seed: int, texts: Texts) -> None:
        self.chance, self.maker, self.texts = random.Random(seed), Maker(seed), texts

    def post(self) -> str:
        """A post in a forum: prose, now and then with code between its marks."""
        chance = self.chance
        parts = [*chance.sample(self.texts.talk, 2), f"Thanks, {self.maker.text()}"]
        if chance.random() < 0.4:
            parts.insert(1, f"```{chance.choice(LANGUAGES)}\n{chance.choice(self.texts.code).rstrip()}\n```")
        return "\n\n".join(parts)

    def asked(self) -> Asked:
        if self.chance.random() < 0.4:
            return self._own()
        head, body = self.maker.request()
        lines = head.decode().split("\r\n")
        method, target, _ = lines[0].split(" ")
        headers = dict(line.split(": ", 1) for line in lines[2:] if ": " in line and line.isascii())
        return method, target, headers, body.decode()

    def _own(self) -> Asked:
        chance, kind = self.chance, self.chance.random()
        headers = {"Content-Type": "application/json", "X-Request-Id": f"{chance.getrandbits(64):016x}"}
        if kind < 0.4:
            post = {"title": chance.choice(self.texts.prose)[:70], "body": self.post(), "tags": ["help"]}
            return "POST", "/forum/posts", headers, json.dumps(post, ensure_ascii=chance.random() < 0.5)
        if kind < 0.6:
            words = chance.choice(self.texts.prose).split()[:6]
            return "GET", f"/search?q={quote(' '.join(words))}&sort=id&fields=id,name,created_at", {}, ""
        if kind < 0.8:
            name = chance.choice(self.texts.files)
            return "PUT", f"/files/{chance.randrange(10**6)}", headers, json.dumps({"file_name": name, "size": 17})
        chat = {"role": "user", "content": chance.choice(self.texts.prose)}
        return "POST", "/v1/chat", headers, json.dumps({"messages": [chat], "temperature": 0.2})


def with_python(library_name: str, rows: Path, port: int) -> None:
    """Send with requests or httpx."""
    import httpx
    import requests

    session = requests.Session() if library_name == "requests" else httpx.Client()
    with session:
        for line in rows.open(encoding="utf-8"):
            method, target, headers, body = json.loads(line)
            session.request(method, f"http://127.0.0.1:{port}{target}", headers=headers, data=body.encode() or None)


def curl_lines(asked: Asked, port: int) -> str:
    """One request of curl's config file."""
    method, target, headers, body = asked

    def quoted(text: str) -> str:
        table = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
        return '"' + "".join(table.get(char, char) for char in text) + '"'

    address = quoted(f"http://127.0.0.1:{port}{target}")
    lines = [f"url = {address}", f"request = {method}", 'output = "/dev/null"', "globoff"]
    lines += [f"header = {quoted(f'{name}: {value}')}" for name, value in headers.items()]
    if body:
        lines.append(f"data-raw = {quoted(body)}")
    return "\n".join([*lines, ""])


def commands(folder: Path, rows: list[Asked], port: int) -> list[list[str]]:
    """One command a client; each gets its part of the rows."""
    parts = {"curl": rows[0::2], "node": rows[1::4], "requests": rows[3::8], "httpx": rows[7::8]}
    blocks = (curl_lines(asked, port) for asked in parts.pop("curl"))
    (folder / "curl").write_text("next\n".join(blocks), encoding="utf-8")
    for name, some in parts.items():
        (folder / name).write_text("".join(json.dumps(asked) + "\n" for asked in some), encoding="utf-8")
    own = [sys.executable, "-m", "tests.bench.record_benign", "--port", str(port)]
    return [
        ["curl", "--silent", "--config", str(folder / "curl")],
        ["node", "-e", NODE, str(folder / "node"), str(port)],
        *([*own, "--client", name, str(folder / name)] for name in ("requests", "httpx")),
    ]


def record(capture: Path, requests: int, seed: int, texts: Texts) -> None:
    visitor, port = Visitor(seed, texts), free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
        server = subprocess.Popen(["nginx", "-p", name, "-c", str(folder / "nginx.conf")])
        tap = subprocess.Popen(
            ["tcpdump", "-i", "lo", "-s", "0", "-B", "65536", "-w", str(capture), f"tcp port {port}"],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert tap.stderr
            while "listening on" not in tap.stderr.readline():
                pass
            todo, begun = requests, time.monotonic()
            while todo > 0:
                rows = [visitor.asked() for _ in range(min(todo, 20_000))]
                todo -= len(rows)
                clients = [subprocess.Popen(command) for command in commands(folder, rows, port)]
                for client in clients:
                    client.wait(timeout=1_800)
                print(f"{requests - todo} sent after {time.monotonic() - begun:.0f} s", flush=True)
        finally:
            for process in (tap, server):
                process.terminate()
                process.wait(timeout=30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--texts", choices=VOCABULARIES, default="manuals", help="where prose and code come from")
    parser.add_argument("--packages", type=Path, help="instead, those of the half held out that these packages hold")
    parser.add_argument("--of", choices=SETS, default="documents", help="which set of these packages")
    parser.add_argument("--client", choices=("requests", "httpx"), help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.client:
        with_python(given.client, given.file, given.port)
    else:
        texts = SETS[given.of].vocabulary(given.packages, "held-out") if given.packages else VOCABULARIES[given.texts]()
        record(given.file, given.requests, given.seed, texts)


if __name__ == "__main__":
    main()
