"""What gives an exposed page, file or error away: in: paths, types and the first bytes of answers; out: what it is.

A path alone proves nothing, because many applications answer any path with their start page: each mark asks for bytes
that only the real thing has. The one law: no mark is found in an ordinary answer of an API.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Mark(NamedTuple):
    """`path` and `body` are searched in the lower-case template and in the answer's first bytes."""

    name: str
    path: re.Pattern[str]
    body: re.Pattern[bytes]
    grave: bool  # gives out code, secrets or memory


def _mark(name: str, path: str, body: bytes, grave: bool = False) -> Mark:
    return Mark(name, re.compile(path), re.compile(body), grave)


MARKS = (
    _mark(
        "OpenAPI description",
        r"(openapi|swagger|api-docs|v\d/api-docs)[^/]*(\.json|\.ya?ml|/?$)",
        rb'"(openapi|swagger)"\s*:\s*"|^(openapi|swagger)\s*:',
    ),
    _mark(
        "API documentation",
        r"(docs|swagger|redoc|api-explorer|graphi?ql|playground)",
        rb"(?i)swagger-?ui|redoc|graphiql|"
        rb"rapidoc|stoplight|graphql[ -]playground",
    ),
    _mark("WSDL", r"", rb"<(wsdl:)?definitions[^>]+wsdl"),
    _mark("GraphQL schema", r"graphql|gql", rb'"__schema"\s*:\s*\{'),
    _mark(
        "Spring actuator",
        r"(actuator|/(env|beans|configprops|heapdump|threaddump|mappings))(/|$)",
        rb'"_links"\s*:\s*\{\s*"self"|"propertySources"|"(beans|contexts)"\s*:\s*\{|JAVA PROFILE|"threads"\s*:',
        True,
    ),
    _mark("Git repository", r"/\.git/", rb"^ref: refs/|\[core\]|^DIRC|^[0-9a-f]{40} [0-9a-f]{40} ", True),
    _mark("environment file", r"/\.env", rb"(?m)\A(?!\s*<)[^<]{0,2000}?^(export )?[A-Z][A-Z0-9_]{2,40}=", True),
    _mark("Subversion repository", r"/\.svn/", rb"^\d+\s|SQLite format", True),
    _mark(
        "credentials file",
        r"/\.(aws|ssh|docker|npmrc|htpasswd|git-credentials)",
        rb"aws_access_key_id|PRIVATE KEY|"
        rb"\"auths\"|_authToken|:\$(apr1|2y)\$",
        True,
    ),
    _mark("database dump", r"\.(sql|dump|bak)$", rb"(?i)create table|insert into|SQLite format", True),
    _mark("phpinfo", r"(php)?info", rb"<title>phpinfo\(\)|PHP Version .{0,80}</h1>", True),
    _mark("Go profiler", r"/debug/(pprof|vars)", rb"/debug/pprof|\"memstats\"", True),
    _mark(
        "debugger",
        r"",
        rb"<title>[^<]{0,300}// Werkzeug Debugger</title>|\bEVALEX = true,|<title>[^<]{0,80}Whoops, looks like"
        rb"|you have <code>DEBUG = True</code>|<title>(Laravel )?Telescope\b|<title>Symfony Profiler</title>"
        rb"|window\.ignite\(|<title>(Action Controller: Exception caught|Routes)</title>[\s\S]{0,4000}Rails\.root:",
        True,
    ),
    _mark(
        "server status",
        r"server-status|server-info|nginx_status|stub_status",
        rb"Apache Server Status|Active connections:",
    ),
    _mark("metrics", r"metrics|prometheus", rb"(?m)^# (HELP|TYPE) \w+"),
    _mark("Elasticsearch", r"", rb'"tagline"\s*:\s*"(You Know, for Search|The OpenSearch Project: https)', True),
    _mark(
        "Elasticsearch",
        r"/_(cat|cluster|search|nodes|all|mapping|stats|aliases)(/|$)",
        rb'(?m)"(cluster_name|_shards)"\s*:|^(green|yellow|red)\s+open\s',
        True,
    ),
    _mark("Kibana", r"", rb"<kbn-injected-metadata|\bkbn-bootstrap"),
    _mark(
        "Docker API",
        r"/(version|info|containers/json|images/json)$",
        rb'"(MinAPIVersion|DockerRootDir)"\s*:|"ImageID"\s*:\s*"sha256:|"RepoTags"\s*:\s*\[',
        True,
    ),
    _mark(
        "Kubernetes API",
        r"/(apis?|pods|runningpods)(/|$)",
        rb'"kind"\s*:\s*"(API(Versions|GroupList|ResourceList)|(Pod|Secret|Node|Namespace|ConfigMap|Service)List)"',
        True,
    ),
    _mark("Jenkins script console", r"/script", rb"<title>[^<]{0,60}\[Jenkins\]|Jenkins\.instance", True),
    _mark("H2 console", r"", rb"<title>H2 Console</title>", True),
    _mark("Tomcat manager", r"/(host-)?manager", rb"Tomcat Web Application Manager|\AOK - Listed app", True),
    _mark("Jolokia", r"/jolokia", rb'"agent"\s*:\s*"\d', True),
    _mark(
        "Consul or etcd",
        r"/v[123]/(agent|catalog|kv|keys|members)",
        rb'"(DebugConfig|NodeMeta|CreateIndex|createdIndex|clientURLs)"\s*:',
        True,
    ),
    _mark("Jupyter", r"", rb'data-jupyter-api-token="|id="jupyter-config-data"', True),
    _mark("RabbitMQ management", r"/api/", rb'"rabbitmq_version"\s*:', True),
    _mark("Hadoop or Solr", r"", rb'"(resourceManagerVersion|solr_home)"\s*:|<title>(Druid Stat|Solr Admin)', True),
    _mark("register of services", r"/eureka", rb"<title>Eureka</title>|versions__delta"),
    _mark("statistics of a proxy", r"", rb"<title>Statistics Report for HAProxy|<title>Traefik</title>"),
    _mark("tool of a database", r"", rb"<title>[^<]{0,60}(phpMyAdmin|Adminer)\b[^<]{0,20}</title>"),
    _mark("list of a folder", r"/\.ds_store", rb"\A\x00\x00\x00\x01Bud1", True),
    _mark(
        "configuration with a password",
        r"\.(bak|old|orig|save|swp|config)$",
        rb"\bDB_PASSWORD['\"]?\s*[,=]|<connectionStrings>",
        True,
    ),
    _mark("directory listing", r"", rb"<title>Index of /"),
)

_TRACE_TEXTS = (
    rb"Traceback \(most recent call last\)",
    rb"File \\?\"[^\"]+\.py\\?\", line \d+",
    rb"\bat [\w.$]+\([\w$]+\.(java|kt|scala):\d+\)",
    rb"\bat [\w.<>`]+\(.{0,200}\) in .{1,200}:line \d+",
    rb"\bat .{1,120}\((/|node:|file:|[A-Z]:\\)[^)\s]{1,200}:\d+:\d+\)",
    rb"goroutine \d+ \[running\]",
    rb"\.rb:\d+:in [`']",
    rb"PHP (Fatal|Parse) error",
    rb"<b>(Fatal error|Warning|Notice)</b>:.{1,200} on line",
    rb"Stack trace:\s*(\\n)?#0",
    rb"thread '.{1,60}' panicked at",
    rb"System\.\w+Exception:",
    rb"org\.(springframework|hibernate)\.",
    rb"SQLSTATE\[\w+\]",
    rb"ORA-\d{5}",
    rb"You have an error in your SQL syntax",
    rb"psycopg2?\.",
    rb"sqlite3\.OperationalError",
    rb"PG::\w+Error",
    rb"you have <code>DEBUG = True</code>",
    rb"Unclosed quotation mark after the character string",
)
TRACES = re.compile(b"|".join(_TRACE_TEXTS))
"""What programs print of their own insides when they fail."""

_PRODUCT = re.compile(r"([A-Za-z][\w.+-]*)[/ ]v?(\d+(?:\.\d+)*)")
BANNERS = ("server", "x-powered-by", "x-aspnet-version", "x-aspnetmvc-version", "x-generator", "via")
OLDER = {
    "nginx": (1, 24),
    "apache": (2, 4, 58),
    "php": (8, 1),
    "openssl": (3, 0),
    "microsoft-iis": (10, 0),
    "tomcat": (9, 0),
    "coyote": (9, 0),
    "jetty": (9, 4, 50),
    "express": (4, 17),
    "werkzeug": (2, 3),
    "gunicorn": (20, 1),
    "lighttpd": (1, 4, 60),
    "asp.net": (4, 0),
    "python": (3, 9),
    "node.js": (18, 0),
    "kestrel": (6, 0),
}
"""Products of which a version before this one gets no repairs from its makers any more (as of 2025)."""


def banners(head: bytes) -> list[tuple[str, bool]]:
    """(product and version, whether it is an old one) of what an answer's head says of its server."""
    shown = []
    for line in head.decode("latin-1").splitlines()[1:]:
        name, colon, value = line.partition(":")
        if colon and name.strip().lower() in BANNERS:
            for product, version in _PRODUCT.findall(value):
                numbers = tuple(int(part) for part in version.split("."))
                oldest = OLDER.get(product.lower())
                shown.append((f"{product}/{version}", oldest is not None and numbers < oldest))
    return shown
