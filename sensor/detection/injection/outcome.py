"""Did it work? In: a finding, the value, the answer, what is usual there; out: attempted, probable or confirmed, why.

Confirmed: the answer holds what only the attack could have brought out, or waited as long as it was told to. Probable:
an error text of the attacked engine, or an answer unlike the endpoint's. The one law: without an answer it was an
attempt.
"""

from __future__ import annotations

import math
import re
from enum import IntEnum
from typing import Any, NamedTuple

from sensor.detection.injection.decode import unentity, unescape, unpercent
from sensor.schema import TransactionFlag

ANSWERS_MIN = 16
"""Answers of an endpoint that make its normal size and latency known."""
SPREADS_MIN = 6.0
"""Mean deviations from the normal that are unlike it (of log2, at least half a doubling each)."""
ERRORS_SHARE_MAX = 0.05
"""Of an endpoint that answers with server errors more often than this, one more says nothing."""


class Outcome(IntEnum):
    ATTEMPTED = 0
    PROBABLE = 1
    CONFIRMED = 2


class Verdict(NamedTuple):
    outcome: Outcome
    why: str


_FILES = re.compile(
    r"root:[x*!]?:0:0:|daemon:[x*]:\d+:\d+:|\[boot loader\]|\[fonts\]\s|; for 16-bit app support|root:\$\d\$\w"
    r"|-----BEGIN (?:RSA |OPENSSH |EC |DSA )?PRIVATE KEY|<\?php\s|\bDB_PASSWORD\b\s*[=,]|aws_secret_access_key"
)
_COMMANDS = re.compile(r"\buid=\d+\([\w.-]+\) gid=\d+|Volume Serial Number is|Windows IP Configuration"
                       r"|\bLinux \S+ \d+\.\d+\.\d+\S* |\btotal \d+\s+[d-]rw|inet (?:addr:)?127\.0\.0\.1")  # fmt: skip
_DATABASE = re.compile(
    r"You have an error in your SQL syntax|SQLSTATE\[|ORA-\d{5}|PLS-\d{5}|PG::\w+Error|psycopg2?\.|syntax error at or near"
    r"|unterminated quoted string|SQLite3?::|sqlite3\.OperationalError|SQLITE_ERROR|near \"[^\"]{0,40}\": syntax error"
    r"|Unclosed quotation mark|Microsoft (?:OLE DB|ODBC|SQL)|ODBC SQL Server Driver|mysql_(?:fetch|num|query)|mysqli_"
    r"|Warning: (?:mysql|pg|sqlite|oci)|quoted string not properly terminated|DB2 SQL error|Dynamic SQL Error"
    r"|com\.mysql\.jdbc|org\.postgresql\.util|java\.sql\.SQL|System\.Data\.SqlClient|XPATH syntax error: '"
    r"|Duplicate entry '[^']{0,80}' for key|unrecognized token:|Conversion failed when converting",
    re.I,
)
_MONGO = re.compile(r"MongoError|MongoServerError|unknown operator: \$|BadValue|CastError|E11000 duplicate", re.I)
_ENGINE = re.compile(
    r"jinja2\.exceptions|TemplateSyntaxError|freemarker\.core|org\.apache\.velocity|Twig\\Error|Smarty.{0,20}error"
    r"|OgnlException|SpelEvaluationException|ELException|javax\.naming|NamingException|InvalidClassException"
    r"|StreamCorruptedException|unserialize\(\)|ReferenceError: |SyntaxError: |Parse error: syntax error|Fatal error: "
    r"|Traceback \(most recent call last\)|javax\.xml\.stream|SAXParseException|XMLSyntaxError|lxml\.etree|ldap_\w+\(\)"
    r"|javax\.naming\.directory|LDAPException|xmlXPathEval|XPathException|sh: \d*:? ?\S+: not found|command not found"
    r"|failed to open stream|No such file or directory|java\.io\.FileNotFoundException",
    re.I,
)
_METADATA = re.compile(r"\bami-id\b|instance-id|\"AccessKeyId\"|computeMetadata|\"accountId\"\s*:|security-credentials")
_PHPINFO = re.compile(r"<title>phpinfo\(\)|PHP Version \d|System Information.{0,80}Build Date", re.S)
_SCHEMA = re.compile(r"\"__schema\"\s*:\s*\{|\"queryType\"\s*:")

PROOF: dict[str, tuple[tuple[Outcome, str, re.Pattern[str]], ...]] = {
    "sqli": ((Outcome.CONFIRMED, "database file in the answer", _FILES), (Outcome.PROBABLE, "database error", _DATABASE)),
    "nosql": ((Outcome.PROBABLE, "database error", _MONGO),),
    "cmdi": ((Outcome.CONFIRMED, "output of a command", _COMMANDS), (Outcome.CONFIRMED, "contents of a file", _FILES),
             (Outcome.PROBABLE, "error of the shell", _ENGINE)),
    "path": ((Outcome.CONFIRMED, "contents of a file", _FILES), (Outcome.PROBABLE, "error with a file", _ENGINE)),
    "xxe": ((Outcome.CONFIRMED, "contents of a file", _FILES), (Outcome.PROBABLE, "error of the parser", _ENGINE)),
    "ssrf": ((Outcome.CONFIRMED, "metadata in the answer", _METADATA), (Outcome.CONFIRMED, "contents of a file", _FILES)),
    "graphql": ((Outcome.CONFIRMED, "schema in the answer", _SCHEMA),),
    "php": ((Outcome.CONFIRMED, "output of code", _PHPINFO), (Outcome.CONFIRMED, "output of a command", _COMMANDS),
            (Outcome.CONFIRMED, "contents of a file", _FILES), (Outcome.PROBABLE, "error of the interpreter", _ENGINE)),
}  # fmt: skip
_ANY = (
    (Outcome.CONFIRMED, "output of a command", _COMMANDS), (Outcome.CONFIRMED, "contents of a file", _FILES),
    (Outcome.PROBABLE, "error of the engine", _ENGINE),
)  # fmt: skip
_LOGIN_KINDS = ("sqli", "nosql", "ldap", "xpath")
"""What a login can be got round with; the operators of MongoDB have no business in one, however few."""
_PRODUCT = re.compile(r"(\d{1,9})\s*\*\s*'?(\d{1,9})")
_DELAY = re.compile(r"(?:sleep|pg_sleep|dbms_lock\.sleep)\W{1,4}'?(\d{1,3})|delay\s+'(?:\d+:\d+:(\d{1,2}))|ping\s+-[nc]\s*(\d{1,3})", re.I)


def verdict(kind: str, value: str, answer: str, markup: bool, row: Any, usual: Any, weak: bool = False) -> Verdict:
    """`weak`: what was found may be nothing, so that an answer unlike the others says nothing.

    `answer`: the response's body as text, `markup`: whether a browser would render it; `row` TRANSACTION, `usual` USUAL."""
    if not row["status_code"]:
        return Verdict(Outcome.ATTEMPTED, "no answer seen")
    plain = unescape(unentity(unpercent(unpercent(value))))
    wait_ns = int(row["response_ts"]) - int(row["request_end_ts"]) if row["request_end_ts"] else 0
    delay = _DELAY.search(plain)
    if delay:
        seconds = int(next(group for group in delay.groups() if group))
        known = int(usual["answers"]) >= 4
        if seconds >= 1 and wait_ns >= seconds * 8e8 and (not known or 2 ** float(usual["wait"]) < seconds * 3e5):
            return Verdict(Outcome.CONFIRMED, "the answer waited as long as it was told to")
    for outcome, why, pattern in PROOF.get(kind, _ANY):
        found = pattern.search(answer)
        if found and found.group() not in plain:
            return Verdict(outcome, why)
    if kind in _LOGIN_KINDS and _logged_in(row) and not (weak and kind != "nosql"):
        return Verdict(Outcome.PROBABLE, "a login went well with it")
    product = _PRODUCT.search(plain) if kind in ("ssti", "el") else None
    if product and len(product.group()) > 4:
        result = str(int(product.group(1)) * int(product.group(2)))
        if result in answer and result not in plain and plain not in answer:
            return Verdict(Outcome.CONFIRMED, "the expression was computed")
    if kind == "xss" and markup and len(plain) > 6 and plain in answer:
        return Verdict(Outcome.PROBABLE, "sent back as it was")
    if kind == "crlf" and re.search(r"(?:crlf|inject|set-cookie)", answer[:2000], re.I) and plain.strip()[-12:] in answer:
        return Verdict(Outcome.PROBABLE, "sent back as it was")
    return Verdict(Outcome.ATTEMPTED, "nothing in the answer") if weak else _unlike(row, usual, wait_ns)


def _logged_in(row: Any) -> bool:
    """Whether the request was a login that was not refused."""
    asked = row["flags"] & (TransactionFlag.LOGIN | TransactionFlag.LOGIN_FAILED) == TransactionFlag.LOGIN
    return bool(asked and 200 <= row["status_code"] < 400)


def _unlike(row: Any, usual: Any, wait_ns: int) -> Verdict:
    """An answer unlike the endpoint's others."""
    answers = int(usual["answers"])
    if answers < ANSWERS_MIN:
        return Verdict(Outcome.ATTEMPTED, "nothing in the answer")
    if row["status_code"] >= 500 and int(usual["errors"]) <= answers * ERRORS_SHARE_MAX:
        return Verdict(Outcome.PROBABLE, "a server error where there are none")
    for name, amount in (("size", int(row["response_body_len"])), ("wait", wait_ns // 1000)):
        away = math.log2(1 + max(amount, 0))
        spread = max(float(usual[f"{name}_spread"]), 0.5)
        if away - float(usual[name]) > SPREADS_MIN * spread and row["status_code"] < 400:
            return Verdict(Outcome.PROBABLE, "a larger answer than usual" if name == "size" else "a slower answer than usual")
    return Verdict(Outcome.ATTEMPTED, "nothing in the answer")

