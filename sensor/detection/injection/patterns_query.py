"""Patterns of other query languages, of documents, addresses and protocols: in: nothing; out: QUERY.

LDAP, XPath, NoSQL, GraphQL, XML entities, addresses that a server should not call, header injection, instructions to
a language model, fields that a client should not set. The one law: an address of another host alone is nothing.
"""

from __future__ import annotations

from sensor.detection.injection.pattern import Pattern

_INNER = (
    r"(?:127\.\d{1,3}\.\d{1,3}\.\d{1,3}|127\.\d{1,5}(?:\.\d{1,5})?\b|localhost|0\.0\.0\.0|169\.254\.\d+\.\d+|100\.100\.100\.200|192\.0\.0\.192|10\.\d+\.\d+\.\d+|192\.168\.\d+\.\d+"
    r"|172\.(?:1[6-9]|2\d|3[01])\.\d+\.\d+|\[(?:[0:]|fe[89ab]|f[cd]|2002:7f|64:ff9b)[0-9a-f:.]*\]|metadata(?:\.\w+)*|instance-data|rancher-metadata|kubernetes\.default|host\.(?:docker|containers)\.internal"
    r"|(?:\w+[.-])*(?:localtest\.me|nip\.io|sslip\.io|xip\.io|lvh\.me|vcap\.me|burpcollaborator\.net|oastify\.com|interact\.sh|oast\.\w+|localdomain|internal|1u\.ms|rbndr\.us|webhook\.site|ngrok(?:-free)?\.(?:io|app)|requestbin\.\w+|pipedream\.net|dnslog\.cn|ceye\.io|bxss\.me|xss\.ht|ezxss\.\w+)"
    r"|0x[0-9a-f]{2,8}(?:\.0x[0-9a-f]+)*|0\d{2,3}(?:\.\d{1,4})+|\d{8,10}\b)"
)
_NUMBER = r"(?:0{1,3}[0-7]{9,}|\d{1,3}(?:\.\d{1,3}){0,1}\b|0\b)"

QUERY = [
    # LDAP, XPath
    Pattern("ldap", 8, "LDAP filter", r"\*?\)?\s*\(\s*[|&!]\s*\(|\*\s*\)\s*\(\s*[|&!]?\s*\(?\s*\w*|\)\s*\(\s*(?:\w{1,30}|\d[\d.]*)(?::[\w.]*)?\s*[~<>:]?=|\(\s*(?:object(?:class|category)|cn|uid|sn|mail|userpassword|samaccountname|memberof|ou|dc|givenname)\s*[~<>]?=|\*\)\)|\A\*(?:[|&(]|\)\s*(?:[(|&)%]|\z))|\*\(\)\|"),
    Pattern("ldap", 6, "LDAP filter", r"\A[\w.@*-]{1,40}\)\s*\(\s*[&|!]\s*\)?\z"),
    Pattern("ldap", 5, "LDAP joker", r"\A[\w-]{2,30}:(?:dn:)?\d(?:\.\d+){2,}:=|\A\*?\)?[(|&!*]{2,}\)?\z|\A[\w.-]{0,20}\*\)\z|\A\*\(\|?\(?|\A[)(|&]{1,2}\(?\w*\)?\z"),
    Pattern("xpath", 8, "XPath expression", r"\b(?:count|string-length|substring|name|contains|starts-with|normalize-space|doc|position|last|local-name|string)\s*\(\s*(?:/|\.\.?/|//|@|\(|\*[^)]|comment|name|child::|[\w-]+\s*\()|\b(?:ancestor(?:-or-self)?|descendant(?:-or-self)?|child|parent|following(?:-sibling)?|preceding(?:-sibling)?|self|attribute)::|[\"']\s*\]\s*(?:\||/)|\]\s*\|\s*//|//\*(?:\[|/|\z)|\|\s*//\w+|\bor\s+position\s*\(|/(?:comment|text|node|processing-instruction)\(\)"),
    # NoSQL
    Pattern("nosql", 9, "MongoDB operator", r"[\[{\"',:.\s(]\$(?:ne|eq|gte?|lte?|in|nin|regex|where|exists|or|and|nor|not|elemmatch|type|mod|size|all|expr|jsonschema|text|function|accumulator|comment|lookup|unionwith|merge|out|natural|meta|geonear|query)[\"'\]]?\s*[:=\]]|\A\$(?:ne|gt|lt|gte|lte|in|nin|regex|where|exists|or|and|function)\b|\[\$(?:ne|gt|lt|regex|where|in|nin|exists)\]", False),
    Pattern("nosql", 9, "JavaScript in a query", r"\bthis\s*\.\s*\w+\s*(?:\.\s*match|\.\s*length|==|!=|\[|>|<|===)|[\"']\s*(?:\|\||&&)\s*(?:this\b|[\"'\d]|true|\w+\s*==)|;\s*return\s*\(?\s*(?:true|1|this)|[\"']\s*[;}]\s*(?:return|sleep|var|while|if|for|db\.)|\bdb\s*\.\s*\w+\s*\.\s*(?:find|insert|drop|update|remove|count|aggregate|mapreduce)\b|\bdb\.(?:getcollectionnames|version|stats|shutdownserver|injection)|\bnew\s+date\(\)\s*[;)]|\A\s*(?:\|\||&&)\s*\d+\s*==\s*\d|\bemit\s*\(|\bmapreduce\b|\btojson\w*\(|\A0;\s*return|\bsleep\s*\(\s*\d+\s*\)\s*[;&|]|\$where\b"),
    Pattern("nosql", 7, "document cut short", r"[\"']\s*\}\s*(?:\]|,|\)|;)\s*(?:\}|,|;|\$|//|\{)|[\"']\s*,\s*\$\w+\s*:|\btrue\s*,\s*\$where|\{\s*\$?\w+\s*:\s*(?:undefined|\{\s*\$)|\\?\"\s*,\s*\\?\"\$\w+"),
    Pattern("sqli", 5, "quotes and brackets alone", r"\A[\w@.-]{0,40}[(),.]*(?:'[(),.]*\"|\"[(),.]*')[(),.\"']*\([(),.\"']*\z|\A[\w@.-]{0,40}[(),.]*\([(),.]*(?:'[(),.]*\"|\"[(),.]*')[(),.\"']*\z"),
    # GraphQL
    Pattern("graphql", 6, "GraphQL introspection", r"\b__schema\b\s*\{|\b__schema\b|\b__type\b\s*\(|\bintrospectionquery\b|\b__typename\b[^{}]*\b__typename\b[^{}]*\b__typename\b"),
    Pattern("graphql", 6, "GraphQL aliases in bulk", r"(?:\w\s*:\s*\w+\s*\([^)]*\)\s*\{[^{}]*\}\s*,?\s*\w*){10}"),
    # XML
    Pattern("xxe", 10, "external entity", r"<!entity\b|<!doctype\s+[^>\[]*(?:system|public)\s*[\"'][^\"']*(?:://[^\"']*|\.\./)[^\"']*[\"']\s*\[|<!doctype[^>]*\[|!entity\s+[%\w&]|<xi:include\b|xmlns:xi\s*=|<\?xml-stylesheet|\b(?-i:SYSTEM)\s+[\"'](?:file|http|ftp|php|expect|gopher|jar|netdoc|data|\.\./|/)[^\"']*[\"']|xsi:schemalocation\s*=\s*[\"'][^\"']*https?://|<\?xml[^>]*encoding\s*=\s*[\"']?utf-?(?:7|16|32)|<!\[cdata\[\s*(?:'|<)", True),
    Pattern("xxe", 10, "part of a document type", r"<!attlist\b|<!element\b"),
    Pattern("xxe", 7, "entity reference", r"&[%a-z][\w-]{2,30};[^&]{0,5}<|<text>&\w{4,40};|%\w{2,20};\s*(?:\]|%)"),
    Pattern("xxe", 5, "XML where text is expected", r"\A\s*<\?xml\b|\A\s*<methodcall\b|\A<(?:change-log|test|foo|root)>|<!\[cdata\["),
    # addresses
    Pattern("ssrf", 9, "metadata service", r"\b169\.254\.169\.254|\b169\.254\.170\.2|\bmetadata\.(?:google|azure|packet|tencentyun|internal)|/latest/(?:meta-data|user-data|dynamic|attributes)|/computemetadata/|/metadata/(?:v1|instance|identity)|\b100\.100\.100\.200|\[?fd00:ec2::254|\b192\.0\.0\.192|/opc/v[12]/|/openstack(?:/latest|\b)|rancher-metadata|\binstance-data\b|/hetzner/v1|/v1/(?:machine|vendordata)\b|kubernetes\.default\.svc|\b2852039166\b|0xa9fea9fe"),
    Pattern("ssrf", 8, "inner address", r"\b(?:https?|ftp|ws|ldap|gopher|dict|tftp|sftp|file|netdoc|jar)\s*:\s*(?:[/\\]{0,4}(?:[^\s/@\\]*[@#\\&]+)?" + _INNER + r"|[/\\]{1,4}(?:[^\s/@\\]*[@#\\&]+)?" + _NUMBER + r")(?:[:/\\?#\s,\"'&]|\.(?:[^a-z]|\z)|\z)|\A(?:[/\\]{2})(?:127\.|localhost|169\.254|0x|\[)"),
    Pattern("ssrf", 8, "address in a disguise", r"\b[a-z][a-z0-9+.-]{1,12}://(?:0\d{6,}|0x[0-9a-f]{6,8}|\d{8,10})(?:[:/?#]|\z)"),
    Pattern("ssrf", 6, "name of the server itself", r"\A(?:ipv?6-)?localhost[46]?(?:\.localdomain[46]?)?(?:/|:\d{1,3}(?:\D|\z))|\A(?:[\w-]{1,40}\.){1,5}(?:internal|localdomain|svc|cluster\.local)(?:[/:]|\z)"),
    Pattern("ssrf", 8, "unusual scheme", r"\b(?:gopher|dict|netdoc|tftp|rmi|jar|ssh2|expect|ogg|glob|phar|view-source|local_file|irc)\s*:\s*[/\\]{1,3}\S|(?:\A|[=\"':])(?:ldaps?|sftp|smb|imap|pop3|smtp|telnet|finger|nfs|svn|feed|res|mailbox|unix)\s*:\s*[/\\]{1,3}\S|(?:\A|[=\"'])url:(?:file|https?)://|\bfile:[/\\]", True),
    Pattern("ssrf", 8, "address in a disguise", r"https?:[/\\]{0,4}[^\s/?#]*\s?(?:@\d|@\[|@0|\\+@|@@|#@|%00|%23|&@|%40|%2f@|#\s*@|:80#|\s@)|https?://\[(?:[0:]|fe[89ab]|f[cd]|2002:7f|64:ff9b)|https?:[/\\]{2,4}(?:0x[0-9a-f]|\d{8,10}(?:[/:?]|\z)|0[0-7]{2,}[.\d])|https?://[^\x00-\x7f]{2,}[^/\s]*\.?[^\x00-\x7f]|\bhttps?:\\\\|\bhttps?:/{3,}|\bhttps?:[^\s/\\\"',:\d]\S{0,60}[.\d]\w|\bhttps?:\d[^\s/]{0,60}\.\w|https?://\S{0,40}\\\\"),
    Pattern("ssrf", 6, "address in a disguise", r"(?:\b(?:localtest\.me|nip\.io|sslip\.io|xip\.io|lvh\.me|oastify\.com|burpcollaborator\.net|interact\.sh|oast\.(?:pro|live|site|online|fun|me)|dnslog\.cn|ceye\.io|host\.(?:docker|containers)\.internal|spoofed\.\w+\.\w+|bugbounty\.dod\.network|customer\d?-\w+\.\w+|pipedream\.net|requestbin\.\w+)\b)"),
    Pattern("open-redirect", 7, "redirect elsewhere", r"\A[/\\]{2,}\s*[\w.-]+\.[a-z]{2,}|\A[/\\;][/\\.;]*(?:[/\\]|%2f|%5c|%09|\t|<>|;|〱|。|\x00)+[/\\%@]{1,6}[^\s/]*\.\w{2,}|\A/+https?:|\A[/\\]{1,4}(?:\w+\.)?\w+\.\w+/(?:%2f|\.\.|%2e|//)|\A[/\\]{2,}\S{1,60}@|\A/?(?:%09|\t|\x00|;|〵|ゝ|ー|ｰ)/|\bhttps?:(?:[^/\s:]|/[^/\s])\S{2,60}\.\w{2,}|\Ahttps?://[^\s/]+@\S|\A//?\W{1,8}(?:\w+\.)+\w{2,6}/?|[?&](?:next|url|redirect|redir|rurl|dest\w*|return\w*|continue|target|view|goto|go|out|image_url|checkout_url|uri|forward)=(?:https?:|//)\S*[&?]\w+=(?:https?:|//)"),
    Pattern("open-redirect", 5, "redirect elsewhere", r"\A[/\\.]{0,4}(?:\w+:)?/{1,4}\S{0,60}(?:/\.\./?|/%2e%2e|/%2f\.\.|\\\.\w|%0d|%00|〱|。|%e3%80%82)\S{0,10}\z|\A\.[\w-]+\.(?:com|org|net|info|io|co|dev|app|xyz|site|online|example|test|ru|cn|tk)\z"),
    # headers
    Pattern("crlf", 9, "header injection", r"[\r\n\x85]+\s*(?:set-cookie|location|content-(?:type|length|disposition|location|encoding)|http/\d|x-[\w-]{2,30}|refresh|transfer-encoding|status|link|access-control-\w+|injected[\w-]*|bcc|cc|to|subject|from|mime-version)\s*:|[\r\n\x85]+\s*host\s*:\s*[\w.-]+(?::\d+)?\s*(?:[\r\n]|\z)", True),
    Pattern("crlf", 8, "response or request in a value", r"[\r\n]\s*(?:http/\d\.\d\s+\d{3}|(?:get|post|head|put|delete|options|trace|connect|propfind|patch)\s+\S+\s+http/\d)|\bhttp/[01][.\d]*\s+\d{3}\s+\w+[\r\n]|[\r\n]\s*<(?:html|script|meta|svg|img)\b", True),
    Pattern("crlf", 6, "command of a mail protocol", r"[\r\n]\s*(?:mail\s+from\s*:|rcpt\s+to\s*:|(?:ehlo|helo|vrfy|expn)\s+\S|auth\s+\w{3,}\s+\S+\s*\z|apop\s+\S+\s+[0-9a-f]{16,}|[av]\d{2,4}\s+[a-z]{3,12}\b|(?:quit|rset|noop|starttls|data)\s*(?:[\r\n]|\z)|(?:list|retr|dele|uidl|top)\s+\d{1,6}\s*\z)"),
    Pattern("crlf", 6, "header injection", r"\A[\r\n]+\s*[a-z][\w-]{2,30}\s*:\s*\S"),
    # language models
    Pattern("prompt", 8, "instruction to a language model", r"\b(?:ignore|disregard|forget|override|bypass|discard|do\s+not\s+follow)\s+(?:\w+\s+){0,4}(?:previous|prior|above|preceding|earlier|all|your|these|system|safety)\s+(?:\w+\s+){0,2}(?:instructions?|prompts?|directions?|guidelines?|constraints?)\b", True),
    Pattern("prompt", 7, "system prompt asked for", r"\b(?:reveal|show|print|output|repeat|tell\s+me|give\s+me|display|leak|expose|what\s+(?:is|are)\s+(?:your|the|its|this)|dump|summari[sz]e)\s+(?:\w+\s+){0,5}(?:system|initial|hidden|original|secret|developer)\s+(?:prompt|instructions?|message|configuration)\b|\brepeat\s+(?:everything|all|the\s+(?:text|words))\s+above\b", True),
    Pattern("prompt", 6, "instructions of a language model asked for", r"\b(?:reveal|show|print|output|repeat|recite|tell|give|share|copy|translate|encode|write|list|describe|explain|summari[sz]e|spell|dump|display|disclose|what\s+(?:are|were|is))\s+(?:\S+\s+){0,4}(?:your|its|the\s+(?:bot|assistant|model|ai)'s)\s+(?:\w+\s+){0,2}(?:instructions|prompts?|rules\s+and\s+(?:guidelines|instructions)|directives|guidelines)\b|\b(?:what|everything|instructions|anything|text|words)\s+(?:\w+\s+)?(?:were\s+you|you\s+were|have\s+you\s+been|you\s+have\s+been)\s+(?:given|told|instructed|asked|trained)\b|\brepeat\s+(?:\w+\s+){0,3}(?:conversation|instructions|prompt)\b|\bmy\s+(?:system\s+)?(?:instructions|prompt)\s+(?:are|is|says?)\s*:|\bsystem\s+prompt\s+is\s*:|\bi\s+(?:was|am|have\s+been)\s+instructed\s+to\W*\z", True),
    Pattern("prompt", 6, "other role for a language model", r"\b(?:you\s+are\s+going\s+to|i\s+want\s+you\s+to|from\s+now\s+on,?\s+you(?:\s+will|\s+are|\s+must)?)\s+(?:\w+\s+){0,2}(?:pretend|act\s+as|play\s+the|simulate|behave\s+as|ignore|respond\s+as)\b|\bignore\s+(?:\w+\s+){0,2}instructions\b|\b(?:ignore|forget|disregard)\s+(?:everything|all|anything)\s+(?:above|before|you|that\s+(?:was|came))\b", True),
    Pattern("prompt", 7, "role of a language model changed", r"\byou\s+are\s+(?:now\s+)?(?:dan|stan|aim|developer\s+mode|an?\s+unrestricted|an?\s+unfiltered|no\s+longer\s+bound|free\s+from|jailbroken)\b|\bdo\s+anything\s+now\b|\b(?:enable|enter|activate)\s+(?:god|dan|jailbreak|unrestricted)\s+mode\b|\bpretend\s+(?:that\s+)?(?:you|to)\s+(?:\w+\s+){0,4}(?:no|without|have\s+no)\s+(?:restrictions?|rules?|limits?|filters?|guidelines?)|\bact\s+as\s+(?:an?\s+)?(?:unrestricted|unfiltered|jailbroken|evil|root|linux\s+terminal)", True),
    Pattern("prompt", 9, "model's control marks", r"<\|(?:im_start|im_end|system|user|assistant|endoftext|begin_of_text|start_header_id|eot_id|end_of_turn)\|>|\[/inst\]|(?:\A|[\r\n])\s*\[inst\]|<<\s*/?sys\s*>>|\A\s*(?:###?\s*)?(?:system|assistant)\s*:\s*(?:you|ignore|new|override)\b|[\r\n]\s*(?:###?\s*)?(?:system|assistant|human)\s*(?:prompt|message|instruction)?\s*:\s*(?:you|ignore|override|the\s+user|new|from)\b|(?:\A|[\s>])<(?:system|assistant)(?:_prompt)?>|\bbegin\s+system\s+(?:prompt|message)\b|\bnew\s+(?:system\s+)?instructions?\s*:|\bend\s+of\s+(?:system\s+)?(?:prompt|instructions)\b", True),
    Pattern("prompt", 6, "data sent out by a language model", r"!\[[^\]]*\]\(https?://[^)\s]+(?:\?|=)\s*(?:\{|\[|<|%7b)[^)]*\)|\b(?:send|post|forward|exfiltrate|email|upload)\s+(?:\w+\s+){0,5}(?:conversation|chat\s+history|api\s+keys?|credentials|secrets?|passwords?|system\s+prompt|customer\s+data)\s+(?:\w+\s+){0,3}(?:to|at|via)\s+(?:https?:|\S+@|\S+\.\w{2,})", True),
    # encodings that hide
    Pattern("evasion", 5, "over-long or broken encoding", r"%(?:c0|c1)%[0-9a-z]{2}|%u(?:ff|22|00)[0-9a-f]{2}|%25(?:25|2e|2f|5c|27|3c|c0)|%%3\d%%?[36]|%u00(?:2[27ef]|3c|5c)|\A\S*%[0-9a-f](?:[g-z]|%)\S*\z|[\xc0\xc1][\x80-\xbf]"),
    Pattern("evasion", 5, "beyond Unicode", r"%f[5-7](?:%[89ab][0-9a-f]){3}"),
    Pattern("evasion", 5, "letter as an escape", r"\A[^\\]{0,60}\\u00[4-7][0-9a-f]\w"),
    Pattern("evasion", 5, "number that stops parsers", r"\A-?2\.2250738585072\d{0,8}e-30\d\z"),
    Pattern("evasion", 5, "sign of markup as a number", r"&#0*60(?:\D|\z)|&#x0*3c(?:\W|\z)"),
    Pattern("evasion", 5, "null byte", r"%00|\x00"),
]
