#!/usr/bin/env python3
"""Rules as public sets write them, here and in Suricata: in: captures of attacks; out: alerts alike, and those of one.

    python -m tests.bench.signature_styles CAPTURE...        # a capture whose every client sends one request

Some 330 rules in the manner of sets for web servers, applications, answers to attacks and user agents: words of
attacks in each buffer, old modifiers and new ones, negations, transforms, sizes, bits, expressions with flags. The one
law: what either refuses is counted, and alerts are compared by rule and client.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sensor.config import Settings, SignatureSettings
from sensor.detection.signatures.ruleset import RuleSet
from sensor.pipeline import Pipeline
from tests.detection.tables import alone

Told = set[tuple[int, str]]
SQL = ("SELECT", "UNION", "INSERT", "UPDATE", "DELETE", "ORDER", "FROM", "WHERE", "CONCAT", "0x", "--", "or 1=1")
REST = (
    "<script", "onerror=", "javascript:", "alert(", "<svg", "document.cookie", "%3Cscript", "../", "..%2f",
    "/etc/passwd",
    "php://", "file://", "/proc/self", "win.ini", ".htaccess", "%00", "C:\\", ";cat", "|id", "$(", "wget", "/bin/sh",
    "&&",
    "cmd.exe", "%0a", "${jndi:", "{{", "<!ENTITY", "<!DOCTYPE", "O:4:", "$ne", "__proto__", "%{(", "169.254", "rO0AB",
)  # fmt: skip
TO_SERVER = (
    'http.method; content:"POST"; http.uri; content:"/"; startswith; http.header_names; content:"|0d 0a|Host|0d 0a|";',
    'http.method; content:"GET"; http.uri; bsize:>150;', "urilen:>200;", 'urilen:5<>40; http.method; content:"POST";',
    'http.content_type; content:"application/x-www-form-urlencoded"; startswith; http.request_body; content:"<";',
    r'http.content_type; content:"json"; http.request_body; content:"{"; startswith; pcre:"/\x22\$(?:ne|gt|regex)/i";',
    'http.user_agent; content:"Mozilla/5.0"; startswith; content:!"("; distance:1; within:1;',
    "http.user_agent; bsize:0;",
    'http.user_agent; content:"sqlmap"; nocase; threshold:type limit, track by_src, count 1, seconds 60;',
    'content:"User-Agent|3a 20|"; http_raw_header; content:"curl"; distance:0; within:20; http_raw_header;',
    r'http.host; content:"."; pcre:"/^\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}$/";',
    'http.host; dotprefix; content:".com"; endswith;',
    'http.host.raw; content:"localhost"; nocase;', 'http.protocol; content:"HTTP/1.0";',
    'http.accept; content:"*/*"; bsize:3;',
    'http.start; content:"GET /"; startswith; content:"HTTP/1.1|0d 0a|Host|3a|"; distance:0;',
    'http.referer; content:"http";',
    r'http.uri; content:".php?"; fast_pattern; pcre:"/\.php\?[a-z]+=(?:https?|ftp|php|data)\x3a\//Ui";',
    r'http.uri; content:"="; pcre:"/=\s*[\x27\x22].{0,40}(?:or|and)\b/Ri";',
    'http.connection; content:"close"; nocase;',
    'http.uri; content:"cmd="; nocase; isdataat:3,relative;', 'http.uri; content:"id="; nocase; isdataat:!10,relative;',
    'http.uri; content:"/"; content:"/"; distance:1; within:20; content:"?"; distance:0;',
    'http.uri; to_lowercase; content:"union"; content:"select"; distance:1; within:30;',
    'http.uri; strip_whitespace; content:"unionselect"; nocase;',
    'http.request_body; url_decode; content:"<script"; nocase;',
    'http.uri; compress_whitespace; content:"union select"; nocase;', 'http.uri; content:"|00|";',
    r'http.request_body; content:"%"; content:"%"; distance:2; within:1; pcre:"/(?:%[0-9a-f]{2}){4}/Pi";',
    'http.uri; content:"/etc/"; flowbits:set,style.lfi; flowbits:noalert;', 'http.uri.raw; content:"%00";',
    r'http.header; content:"X-Forwarded-For|3a|"; nocase; pcre:"/X-Forwarded-For\x3a[^\r\n]*[\x27\x22<]/Hmi";',
    'http.request_body; content:"filename="; nocase; content:".php"; distance:0; within:60; nocase;',
    'http.uri; content:"jndi"; nocase; xbits:set,style.jndi,track ip_src,expire 30;',
    'http.uri; content:"/"; xbits:isset,style.jndi,track ip_src;', 'http.header.raw; content:"|0d 0a|Accept"; nocase;',
    'http.method; content:!"GET"; content:!"POST"; content:!"HEAD";', 'http.method; pcre:"/^(?:PUT|DELETE|TRACE)$/";',
    r'http.uri; pcre:"/[?&][^=]+=[^&]*(?:\x2e\x2e[\x2f\x5c]){2}/";',
    'http.content_len; byte_test:3,>=,200,0,string,dec;',
    'http.request_header; content:"User-Agent|3a 20|"; startswith; content:"Mozilla"; distance:0;',
)  # fmt: skip
TO_CLIENT = (
    'flowbits:isset,style.lfi; http.stat_code; content:"200";', 'http.server; content:"nginx"; nocase;',
    'http.stat_code; content:"200"; http.response_body; content:"ok"; nocase;', 'http.stat_msg; content:"OK"; bsize:2;',
    'file_data; content:"root|3a|x|3a|0"; within:200;', 'file.data; content:"{"; startswith; content:"}"; endswith;',
    'http.response_line; content:"HTTP/1.1 200"; startswith;', 'http.location; content:"http";',
)  # fmt: skip


def _written(word: str) -> str:
    return "".join(f"|{ord(char):02x}|" if char in '"; :|\\' else char for char in word)


def _bodies(chance: random.Random) -> Iterator[tuple[str, str]]:
    """(flow, options) of each rule."""
    every = (*SQL, *REST)
    for word in map(_written, every):
        other = _written(chance.choice(every))
        for options in (
            f'http.uri; content:"{word}"; nocase; fast_pattern; content:"{other}"; nocase; distance:0;',
            f'uricontent:"{word}"; nocase;', f'content:"{word}"; http_client_body; nocase;',
            f'http.uri.raw; content:"{word}"; nocase;', f'http.header; content:"{word}"; nocase;',
            f'content:"{word}"; http_header; nocase; content:!"Referer|3a|"; http_header;',
        ):  # fmt: skip
            yield "to_server", options
    yield from (("to_server", options) for options in TO_SERVER)
    yield from (("to_client", options) for options in TO_CLIENT)


def rules() -> list[str]:
    """Their text, by sid from 5000000 on."""
    return [
        f'alert http any any -> any any (msg:"style {sid}"; flow:established,{flow}; {options} classtype:misc-attack;'
        f" sid:{sid}; rev:2; metadata:affected_product Web_Server, signature_severity Major;)"
        for sid, (flow, options) in enumerate(_bodies(random.Random(7)), 5_000_000)
    ]


def by_suricata(file: Path, capture: str) -> tuple[Told, set[int]]:
    """What it tells, and the rules that it refuses."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["suricata", "-r", capture, "-S", str(file), "-l", folder, "-k", "none", "--runmode", "single"]
        subprocess.run([*command, "--set", "packet-alert-max=255"], capture_output=True, timeout=600, check=True)
        log = (Path(folder) / "suricata.log").read_text()
        entries = map(json.loads, (Path(folder) / "eve.json").read_text().splitlines())
        alerts = [entry for entry in entries if entry["event_type"] == "alert"]
    refused = {int(sid) for sid in re.findall(r"error parsing signature .*? sid:(\d+);", log)}
    client = {"to_server": "src_ip", "to_client": "dest_ip"}
    return {(each["alert"]["signature_id"], each[client[each["direction"]]]) for each in alerts}, refused


def by_tapir(file: Path, capture: str) -> tuple[Told, list[str]]:
    """The same of ours."""
    settings = Settings(detection=alone(signatures=SignatureSettings(rules=(str(file),))))
    alerts = [alert for batch in Pipeline(settings, [capture]) for alert in batch.alerts]
    told = {(int(alert.rule_id.rpartition("-")[2]), str(alert.client_ip)) for alert in alerts}
    return told, [str(fault) for fault in RuleSet([str(file)]).faults]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captures", nargs="+")
    given = parser.parse_args()
    texts = rules()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "styles.rules"
        file.write_text("\n".join(texts) + "\n")
        for capture in given.captures:
            theirs, refused = by_suricata(file, capture)
            ours, faults = by_tapir(file, capture)
            print(f"{capture}: {len(texts)} rules, refused {len(refused)} there and {len(faults)} here")
            print(f"    alike {len(theirs & ours)}, there alone {len(theirs - ours)}, here {len(ours - theirs)}")
            for sid, count in Counter(sid for sid, _ in theirs ^ ours).most_common(10):
                print(f"    {count} of {texts[sid - 5_000_000]}")


if __name__ == "__main__":
    main()
