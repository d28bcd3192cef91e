"""The rules of injection, one for each class of attack: in: a finding's kind; out: its rule.

The one law: every kind that a judge can name has its rule here (a test holds it).
"""

from __future__ import annotations

from sensor.alert import Kind, Rule, Severity


def _rule(name: str, title: str, owasp: tuple[str, ...], attack: tuple[str, ...]) -> Rule:
    return Rule(
        id=name, version=1, title=title, category="injection", kind=Kind.ATTACK, severity=Severity.MEDIUM, owasp=owasp,
        attack=attack,
    )  # fmt: skip


_PUBLIC = ("T1190",)
_CODE = ("T1190", "T1059")
_UNSAFE = ("API8:2023",)

SQL = _rule("injection-sql", "SQL injection", _UNSAFE, _PUBLIC)
NOSQL = _rule("injection-nosql", "NoSQL injection", _UNSAFE, _PUBLIC)
COMMAND = _rule("injection-command", "Operating system command injection", _UNSAFE, ("T1190", "T1059.004"))
SCRIPT = _rule("cross-site-scripting", "Cross-site scripting", _UNSAFE, ("T1190", "T1059.007"))
LDAP = _rule("injection-ldap", "LDAP injection", _UNSAFE, _PUBLIC)
XPATH = _rule("injection-xpath", "XPath injection", _UNSAFE, _PUBLIC)
TEMPLATE = _rule("injection-template", "Template or expression injection", _UNSAFE, ("T1190", "T1221"))
XXE = _rule("injection-xml-entity", "XML external entity", _UNSAFE, _PUBLIC)
SSRF = _rule("server-side-request-forgery", "Request for an address that only the server reaches", ("API7:2023",),
             ("T1190", "T1552.005"))  # fmt: skip
REDIRECT = _rule("open-redirect", "Redirect to another site", ("API7:2023",), ("T1566.002",))
PATH = _rule("path-traversal", "Path traversal or inclusion of a file", _UNSAFE, ("T1190", "T1083"))
OBJECT = _rule("injection-deserialisation", "Serialised object that runs code", _UNSAFE, _CODE)
JNDI = _rule("injection-jndi", "JNDI look-up in a value", _UNSAFE, _CODE)
CODE = _rule("injection-code", "Code injection", _UNSAFE, _CODE)
GRAPHQL = _rule("graphql-abuse", "GraphQL introspection or batching", ("API4:2023", "API9:2023"), ("T1595.002",))
FIELDS = _rule("mass-assignment", "A client sets a field that gives it rights", ("API3:2023",), ("T1190", "T1078"))
HEADERS = _rule("injection-header", "Header injection or response splitting", _UNSAFE, _PUBLIC)
PROMPT = _rule("injection-prompt", "Instruction to a language model in a field", ("API10:2023",), ("T1190",))
EVASION = _rule("encoding-evasion", "Encoding that hides what is sent", _UNSAFE, ("T1190", "T1027"))
PROTOCOL = _rule("http-protocol-abuse", "Request that abuses the protocol", _UNSAFE, ("T1190", "T1595"))

RULES = {
    "sqli": SQL, "nosql": NOSQL, "cmdi": COMMAND, "xss": SCRIPT, "ldap": LDAP, "xpath": XPATH, "ssti": TEMPLATE,
    "el": TEMPLATE, "ssi": TEMPLATE, "xxe": XXE, "ssrf": SSRF, "open-redirect": REDIRECT, "path": PATH,
    "deserialisation": OBJECT, "jndi": JNDI, "php": CODE, "node": CODE, "java": CODE, "ruby": CODE, "graphql": GRAPHQL,
    "fields": FIELDS, "crlf": HEADERS, "prompt": PROMPT, "evasion": EVASION, "protocol": PROTOCOL,
}  # fmt: skip
"""Rule by the kind of finding."""
