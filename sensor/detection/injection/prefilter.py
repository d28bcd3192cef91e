"""The first look at everything: in: bytes of many requests, or one reading; out: which may hold more than plain data.

Two tables: TRIGGERS are what every judge needs to see before it can find anything; MARKS say that something is encoded
and must be read again decoded. The one law: whatever a judge would find has a trigger in the reading in which it would
find it (a test holds this over all judged corpora).
"""

from __future__ import annotations

from sensor.detection.scan import Scanner

_KEYWORD = r"(?:or|x?or|and|union|having|order|group|limit|r?like|regexp|where|select|in|is|not|between|case|procedure|div|mod|as|collate|escape|glob|into|from|when|then|delete|update|insert|drop|exec|waitfor|declare|end|values|glob|xor)"

_DISCARDS = ("гнорир", "абуд", "ігнор", "忽略", "无视", "無視", "忘记", "忘掉", "忘れ", "무시", "잊어", "잊고", "تجاهل", "انس", "अनदेखा", "नज़रअंदाज़", "γνόησε", "התעלם", "bỏ qua", "görmezden", "glöm")
"""To ignore, to forget (orders.py), without first letters of two cases."""


def _octets(text: str) -> str:
    return "".join(f"\\x{octet:02x}" for octet in text.encode())


def _escapes(text: str) -> str:
    return "".join(rf"\\u{ord(char):04x}" if char > "~" else char for char in text)


_ABROAD = ["|".join(map(_octets, _DISCARDS)), "|".join(map(_escapes, _DISCARDS))]
"""As UTF-8, and as JSON may escape them."""

TRIGGERS = [
    # SQL
    r"'\s*(?:[);#|&=<>!+*^%,~/?\]}-]|\)|" + _KEYWORD + r"(?:\W|\z)|['\"]|\z)",
    r"[\"`]\s*(?:[);#^]|--|/\*|\|\||&&|[=<>!]\W|[=<>][\d'\"]|" + _KEYWORD + r"[\s+/(%'\"`!])",
    r"\b(?:and|x?or|having|where|r?like|regexp|not|between|when|if|div)\b[\s(+/*!~-]{1,12}(?:[\d'\"@(:]|null|true|false|select|exists|sleep|benchmark|\w+\s*(?:[=<>!(]|like|is\s|in\s|between))",
    r"\b(?:union|intersect|except|minus)\b\W{1,40}(?:all|distinct|select|values|\z)",
    r"\bunion[/*\s]", r"\A\W{0,6}(?:and|or|xor|having|where|union|order|group|limit|like|rlike|select|exec|waitfor|insert|drop|delete|update|create|alter|case|if|declare|shutdown|as|procedure|into|except|execute|in|not|between|is|div|sounds|regexp)\b",
    r"\bselect\b\s*[\W\d]", r"\bselect\s+(?:\w+\s*,|\w+\s*\(|\w+\s+from\b|[\w.]+\s+from|case|all|distinct|top|null|user|session|current|system|sysdate|version)",
    r"\b(?:insert\W{1,20}into|delete\W{1,20}from|update\W{1,4}\w+\W{1,4}set|drop\W{1,20}(?:table|database|view|user|index|procedure|function|schema)|truncate\W{1,9}table|(?:create|alter)\W{1,20}\w+|waitfor\W|declare\W{1,9}@|exec(?:ute)?[\s(+]|shutdown|(?:order|group)\W{1,20}by\W{1,20}\d|procedure\W+analyse|into\W+(?:out|dump)file|load\W+data|copy\W+\w+\W+from)\b",
    r"(?:[xs]p_[a-z]|information_schema|pg_[a-z]|sys(?:objects|columns|users|databases|tables|ibm|cat)|sqlite_|msys[aoqrm]|@@|rdb\$|v\$[a-z]|all_(?:tables|users)|user_(?:tables|tab)|mysql\.|master\.|northwind|tempdb|dbms_|utl_|ctxsys|boolean\s+mode)",
    r"/\*", r"--(?:\s|\z|[\"'+]|-)", r"[\d')\"]\s*#", r";\s*(?:\z|--|#)", r"(?:,\s*null){1}", r"\d\s*(?:<=>|<>|!=|\|\||&&)\s*\d|\d\s*[=<>]\s*\d",
    # calls, code
    r"\w\s{0,2}(?:=\s*)?\(\s*[\w'\"`$/@)\]\[({!-]", r"\w{2,}\s*\(\s*\z", r"\w(?:`|\?\.\()", r"[\])}]\s*[(\[]", r"\(\s*[)&|]",
    r"[a-z]+\[\s*[\"'`/\\(+]", r"[\[\]()!+{}]{6}", r"\$\s*[a-z_({\[@\\!*?0-9'~]", r"[#%*@~<]\{", r"\{\{|\{%|\{#|<%|%>|\[\[|\{\s*(?:php|literal|if|system|exec|include|fetch|math|self)\b", r"@\(|@\{|@[a-z]+\s*[({]", r"#(?:set|foreach|if|evaluate|include|parse|macro|assign|import|define)?\s*\(",
    r"\b(?:javascript|vbscript|livescript|mocha)", r"s[\s\x00\\]*c[\s\x00\\]*r[\s\x00\\]*i[\s\x00\\]*p[\s\x00\\]*t[\s\x00\\&]*(?:[:>/]|col)", r"\bdata\s*:", r"\bon[a-z]{3,40}\s*=", r"\b(?:document|window|location|navigator|globalthis|self|top|parent|frames|this)\s*[.\[=]",
    r"\b(?:constructor|fromcharcode|innerhtml|outerhtml|innertext|textcontent|insertadjacent|__proto__|prototype|getter|setter|throw|import|expression|behavior|behaviour|formaction|srcdoc|xlink:|attributename|dynsrc|lowsrc|datasrc|http-equiv|fscommand|seeksegmenttime)\b", r"-moz-binding|-o-link|@import|url\s*\(",
    r"<\s*[a-z!?/%\x00(]", r"<\[|<[\"'\\]|<\z", r"[\"'`]\s*/?>|-->|\*/|\]\]>", r"\+ad[w4]-|\\[ux]00?[23]|\xbcscript|&(?:lt|#)", r"\b(?:src|href|style|background|action|poster|xmlns|id|to|from)\s*=\s*[\"'`]",
    r"\b(?:javax?|com|org|sun|freemarker|ognl|xwork)\s*[./]\s*[a-z]", r"\b(?:runtime|processbuilder|classloader|memberaccess|objectinputstream|process|mainmodule|child_process|spawnsync|execsync|nd_func|js_function|closure|transformer|getproperty|xmldecoder|factory)", r"\bclass\s*[.\[]|\brequire\s*[(\[]|\bredirect(?:action)?:|\bmethod:|#_|\bpipeline\.first",
    r"__\w+", r"\b[oca]:\+?\d+:[\"{]", r"\"[@$]type|!!\w|!ruby|rO0AB|aced0005|KLztAAU|Cs7QAF|AAEAAAD|H4sIA|gASV|gAN[A-Za-z]|\xac\xed|KztAAU", r"\bjndi\b|\bj\$|:-", r"\?\s*(?:new|api|eval|interpret)\s*\(|\?>|<\?|\?new", r"\b(?:config|request|session|self|lipsum|cycler|app|user|settings)\s*[.\[|]",
    r"\b(?:allow_url|auto_(?:pre|ap)pend|disable_functions|open_basedir|safe_mode|extension|mbstring|opcache|session|zend|display_errors|suhosin|magic_quotes|error_|zlib|pcre|mail|soap|curl|output_handler|date|max_execution|memory_limit|unserialize|short_open|include_path|doc_root|user_agent)\S{0,30}\s{0,3}=", r"_(?:get|post|request|server|files|cookie|session|env)\b|globals\b|\bsess_", r"\w(?:\.|%2e)(?:php\w*|phtml|phar|pht|jspx?|aspx?|cgi|htaccess)\b",
    # shell
    r"[;|`]\s*[\w/$\"'({\\!~@.*?]", r"&&|\|\||%26", r"&\s+[a-z]|[\s*)'\"a-z0-9]&\s*\w+\s*(?:\z|[-/;|&])", r"(?:\A|[\"=:\s>])(?:sudo\s+)?(?:[a-z]:\\\S*|/\S*/)?(?:ifconfig|ipconfig|whoami|netstat|uname|systeminfo|tasklist|sysinfo|phpinfo|ls|cat|wget|curl|id|printenv|dir|which|sleep|ping|nc|telnet|net|reg|type|echo|netsh|perl|python\d?|ruby|php|bash|sh|cmd|powershell|pwsh|chmod|chown|rm|cp|mv|tar|ssh|scp|sed|awk|grep|find|head|tail|more|less|vi|vim|nano|node|lua|irb|gcc|env|export|set|kill|ps|pwd|cd|dig|nslookup|host|tee|xargs|sort|date|time|alias|tac|nl|od|xxd|touch|mkdir|rmdir|nmap|ftp|tftp|finger|base64|openssl|eval|exec|for|if|start|call|copy|move|del|ren|service|systemctl|crontab|mail|c\s?a\s?t)(?:\.exe)?(?:\s|\z|\"\s*[,}\]]|[&;|<>+])",
    r"(?:s?bin|/tmp|/dev)/", r"[\w/](?:\$@|\$\*|``|\\[a-z]|\^[a-z])", r"[a-z?*\]]/[*\[]|/[a-z]{0,3}[*\[]|/\?\?|/[a-z]{0,3}\?[a-z?*]{0,6}/", r"\{[^{}:\"]*,[^{}:]*\}", r"\(\s*\)\s*\{", r"\b(?:invoke|get|new|start|set|add|out|copy|remove)-[a-z]", r"%(?:comspec|systemroot|windir|temp|path|username|programfiles|errorlevel|cd|%\w)", r"\A~|[=\s]~|\A!|;\s*!|!:", r"(?:>|<<<|2>)\s*[&/\w.'\"]", r"\b(?:if|for|while|until|case)\s*[\s/(\"'\[!%]", r"\bin\s*\(",
    # paths, addresses
    r"/\.[a-z_]|\w\.(?:pem|key|p12|pfx|jks|kdbx|ppk|rdb|bak|backup|swp|swo|mdb|inc|asa|ovpn|keystore|dmp|sql|old|orig|save)\b|\w~|[._-]logs?\b", r"\A&\s*\w", r"\A(?:ip[v-]?6?-?)?localhost", r"\bwhile\s*\(|\bexports\s*=",
    r"(?:\A|[=\"\s])\w{2,12}\s+-{1,2}[a-z]", r"[\"']\s*\(", r"\[/?php\]", r"%f[5-7]%", r"\$\w+\s*(?:#|//|/\*)", r"<\s*:", r"\w{2,}\s*[=\\]\s*\(\s*\z", r"\$[_?*@!-]\w", r"\A\s*(?:ansible|pip\d?|npm|apt|yum|dnf|brew|gem|cargo|snap|apk|docker|kubectl|systemctl|service|visudo)\b", r"\s&\s?@", r"\A\\\w", r"[\r\n\x85]\s*(?:auth|apop|list|retr|dele|uidl|top|mail|rcpt|ehlo|helo|vrfy|expn|a\d+)(?:\s|%20|\+)", r"\btempdb\b|\bis\s+not\s+\d|2\.2250738585072", r"\)\s*when\b", r"\w{3,}_\w+\s*\(", r"::|[@#?]>|<@|\?[|&]", r"['\"][(),.\"']{2,}|`\)|<['\"]{2}>|\bas(?:['\"`]|\s+['\"`]\w+['\"`]\s+from)", r"\A\W{0,3}(?:in|xor|or|and|from|as|alter)\b", r"['\"`]\s*;", r"\b(?:like|glob|regexp|not)\s+['\"\d]", r"\d\s*[=<>!]{2,3}\s*\d",
    r"\.\.", r"\.[/\\]+\.", r"[?.%\x00]{1}[?.%][/\\]|\.\?|\?\.|\?/|\?\\|\?0x", r"[a-z]:[/\\]+\w", r"(?:\A|[^a-z])(?:etc|proc|var|usr|opt|srv|sys|dev|boot|tmp|lib|bin|root|home|mnt|run|library|volumes|applications|private|windows|winnt|system32|nsconfig)(?:[^a-z\s\",]|0x)", r"\.(?:ssh|aws|azure|docker|kube|gnupg|svn|hg|git|bzr|cvs|claude|codex|cursor|rovodev|gemini|vscode|idea|terraform|circleci|gitlab|config|m2|npm|cargo|composer|ht|env|bash|netrc|pypirc|my\.cnf|mysql|psql|pgpass|history|profile|ds_store|viminfo|zsh|sh_|ksh|less|rhosts|wgetrc|boto|s3cfg|mongorc|travis|user\.ini|aspnet|nsr|c?shrc|forward|redis|node_repl|python_h|irb|vimrc|selected|xauth|mcp|addressbook|nano|nuget|x\w+|input|screen|mutt|lynx|log|lhist|passwd|gtkrc|emacs|exrc|mail|proc|fetch|tcsh|z)",
    r"\b(?:wp-config|web\.config|config|configuration|settings|database|secrets|credentials|appsettings|localsettings|local|application|docker-compose|parameters|server|tomcat|context|global|web-inf|meta-inf|httpd|nginx|php|my|sshd|master|spwd|pg_hba|ntuser|unattend|sysprep|machine|metabase|applicationhost|hosts|kubeconfig|terraform|id_|auth|error|access|debug|catalina|vsftpd|pureftpd|mysql|proftpd|phpunit|xferlog|lastlog|utmp|wtmp|boot|win|system|desktop|authorized_keys|known_hosts)[-_.\w]*\.(?:ini|inf|xml|conf|config|log|php|py|ya?ml|json|cnf|db|dat|properties|toml|rsa|dsa|passwd|keys|hosts|out|tfstate|equiv|bin|lock|\d+)\b|web-inf|meta-inf|passwd|shadow|xferlog|lastlog|\b[uw]tmp\b|error_?log|access_?log|(?:apache|httpd|nginx|tomcat|lighttpd|php|mysql|www|web|logs?)\d?[/\\]+\w|\\\\\w|\bsam\b",
    r"\b(?:gopher|dict|netdoc|tftp|ldaps?|rmi|jar|sftp|smb|imap|pop3|smtp|telnet|finger|nfs|svn|git|ssh2|expect|ogg|file|glob|phar|zip|rar|php|zlib|compress|view-source|feed|res|url|unix|local_file|bzip2|ftps?|rtmp|ws)\s*:\s*[/\\]", r"https?\s*:[/\\]{0,4}(?:[^\w]|\d|0x|localhost|\[|[^\s/?#]*[@\\%]|\w+\.?[:/]*\z)|https?:/?[^/\s]", r"https?:/{3}|https?:[/\\]+\S*[@\\#]|https?:\\\\|https?://[^\x00-\x7f]", r"https?://\S+\.(?:txt|php\d?|jpe?g|gif|asp|jsp|cgi|dat|log)\?*", r"(?:169\.254|127\.|0\.0\.0\.0|localhost|metadata|meta-data|user-data|instance-data|2852039166|localtest|nip\.io|sslip|xip\.io|lvh\.me|oastify|burpcoll|interact\.sh|oast\.|dnslog|ceye|\.internal|100\.100\.100|192\.0\.0\.192|fd00:ec2|rancher|opc/v|openstack|hetzner|vendordata|spoofed|bugbounty|pipedream|requestbin|kubernetes|ffff:)",
    r"(?:\A|[\"=,])[/\\.;]*[/\\]{2}[^/\s]", r"\A[/\\]{1,3}(?:[<;%\t\x00]|https?:|\w*javascript|[\w.-]+\.[a-z]{2,6}|[^\x00-\x7f])|[?&](?:next|url|redirect|redir|rurl|dest|return|continue|target|view|goto|go|out|uri|forward)\w*=(?:https?:|//)|[/\\](?:%2f|%5c|%09|<>)|\A\.\w+\.\w+\z",
    # others
    r"[*)(|&]\s*[)(|&!]|\*\)|\(\w+\s*[~<>]?=|\A\*\s*[|&(]|\)\s*\(", r"\b(?:ancestor|descendant|child|parent|following|preceding|self|attribute)\S{0,12}::|//\w*\*|\]\s*\||\|\s*/", r"\$[a-z]{2,}|\[\$", r";\s*return\b|\bthis\.\w|\bdb\.\w|\}\s*\)?\s*;|\}\s*\]?\s*[,;]\s*[$/]|:\s*undefined|\bemit\b|\btojson|\bmapreduce", r"\b__(?:schema|type)|introspection|\w\s*:\s*\w+\s*\(",
    r"!\s*(?:entity|doctype|attlist|element)|xi:include|xsi:schema|xmlns|\bsystem\s+[\"']|&[%\w][\w-]*;\s*<|&\w+;|%\w+;|<!\[|methodcall|esi:",
    r"[\r\n\x85]\s*(?:[\w-]+\s*:|http/|get\s|post\s|head\s|<|[a-z]+\s+\S+\s+http/)", r"\bhttp/[01]", r"\x00|%00", r"%(?:c0|c1|u[0-9a-f]|25|%|[0-9a-f]?[g-z])|%n|[\xc0\xc1][\x80-\xbf]|\xef\xbf\xbd|0x[2-5][0-9a-f]|[25][fc]\.\.",
    r"\b(?:ignore|disregard|forget|override|bypass|discard|do\s+not\s+follow)\b[^.]{0,60}\b(?:instruction|prompt|rule|direction|guideline|command|context|message|training|constraint|polic|above|before|told|said|earlier|and\s)", r"\b(?:system|initial|hidden|original|secret|developer)\s+(?:prompt|instruction|message|configuration|mode)|\bjailbr|\bunrestricted|\bunfiltered|\bdo\s+anything\s+now|\byou\s+are\s+(?:now|dan|no\s+longer|free)|\b(?:dan|god|debug)\s+mode|\bpretend\b|\bact\s+as\b|\bwithout\s+any\b|\brepeat\s+(?:everything|all|the)\b",
    r"\b(?:your|its|my|'s)\s+(?:\w+\s+){0,2}(?:instructions|prompts?|rules\s+and|directives|guidelines|context|memory|message)\b|\b(?:instructed|conversation)\b|\bignore\s+(?:\w+\s+){0,2}instructions|\byou\s+(?:are\s+going\s+)?to\s+(?:\w+\s+){0,2}(?:act|play|simulate|behave|respond|ignore)\b|\bnow\s+on,?\s+you\b", r"\bconvert\.(?:base64|iconv|quoted)|\\[nr](?:id|ls|whoami|cat|uname|ping)\b|[/\\](?:xampp|wamp|lampp|inetpub)[/\\]",
    r"\b(?:uncensored|unethical|immoral|amoral|unhinged|unbound|god\s?mode|chat-?gpt|open\s?ai|refus(?:e|al)|morals?|ethics)\b",
    r"\b(?:no|without|ignor\w+|break\w*|violat\w+|disregard\w*|bypass\w*)\s+(?:\w+\s+){0,4}(?:rules|restrictions?|limits|limitations|guidelines|filters?|boundaries|polic\w+|safety)\b",
    r"\b(?:print|repeat|output|show|copy|recite|write|return|echo|quote)\s+(?:\w+\s+){0,3}(?:text|words|everything|lines|content|messages?|configuration)\s+(?:above|before|you|that)\b|\bwith\W{1,3}you\s+are\b|\bthe\s+system\s+one\b",
    r"\byou\s+(?:have\s+to|must|were|will|shall)\s+(?:\w+\s+){0,2}(?:follow|obey|given|told|shown|serve)\b|\byou\s+are\s+in\s|\bnow\s+on\b|\b(?:reading|processing|summari[sz]ing|reviewing|evaluating|parsing|translating|analy[sz]ing)\s+this\b|\binstead\s+of\s+(?:answering|responding|summari[sz]ing|following|translating)\b|\boverride\W{1,4}you\b",
    r"\b(?:you(?:'re|\s+are)|as|dear|hey|hello|hi|to|for)\s+(?:an?\s+|the\s+|any\s+|all\s+)?(?:ai|a\.i\.|llms?|(?:large\s+)?language\s+model|chat-?gpt|gpt|chatbot|assistant)\b|\b(?:note|attention|important|hint)\s*:\s*(?:ai|llms?|chatbot|language)\b|\[(?:system|admin|developer)\b|\bend\s+of\s+(?:the\s+)?(?:context|document|user\s+input|input|data|email)\b",
    r"\b(?:ignorier|vergiss|vergesst|missachte|verwirf|ignor[ae][zr]?\b|olvid[ae]|descart[ae]|omit[ae]\b|oublie|dimentic|scord|trascur|esque[c\xc3]|desconsider|negeer|vergeet|zignoruj|ignoruj|zapomn|abaikan|lupakan|ignorera|yok\s+say|unut\b|glem\b)",
    *_ABROAD,
    r"[\r\n]\s*(?:quit|rset|noop|starttls|data|[av]\d{2,4}\s)|\w:(?:dn:)?\d(?:\.\d+)+:=",
    r"<\|\w|\[/?inst\]|<<\s*/?sys|(?:system|assistant|human)\s*(?:prompt|message|instruction)?\s*:|<(?:system|assistant)|begin\s+system|instructions?\s*:|!\[[^\]]*\]\(https?:|\b(?:exfiltrate|chat\s+history|api\s+keys?|credentials)\b",
]
"""Searched in every reading of a value, and in raw bytes."""

MARKS = [
    r"%(?:0[0-9ad]|2[0-9a-f]|3[a-f]|5[b-e]|60|7[b-e]|u[0-9a-f]|25|c0|c1|e0%80|ef%bc|e2%80%9|%)",
    r"\\(?:u00[0-7]|x[0-7]|[0-3][0-7][0-7])|&(?:#|\w{2,8};)|\+A[A-Za-z0-9/]{1,20}-",
    r"\b(?-i:(?:[A-Za-f][A-HQ-Xg-nw-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/_-]){3,})",
    _ABROAD[1],
    r"\b(?-i:H4sI|eJ[wyz])", r"(?:\xef\xbc|\xe2\x80[\x98-\x9f]|\xca\xbc)",
]
"""Searched in raw bytes too: where one is, the bytes are searched again decoded."""

WHOLE = [
    r"filename\*?=|;\s*name=\"[^\"\r\n]{0,60}[;=]|x[._-]?file[._-]?name",
    r"\nhost:[ \t]*\n|\nconnection:[^\n]*,|\nrequest-range:|\n(?:content-range|if|lock-token):|\n(?:accept|user-agent):[ \t]*\n|\ncontent-type:[ \t]*(?:[^/\n]*\n|[^/\n]*/[ \t]*[;,\n])",
    r"charset\s*=\s*[\"']?(?:ibm|cp\d|ebcdic|utf-?7)",
    r"[?&;][\w.:%-]{0,40}(?:sess|sid=|sid%3d|cfid|cftoken)", r"[?&]_method=", r"\ncontent-transfer-encoding|charset\s*=\s*[\"']?(?:[^uiw\s\"']|ut?f?-?[^8f])",
    r"is_?(?:admin|super|staff|root|owner|verified|premium|approved)\w*[\"%\]5d]*\s*[:=]|[\"&\n]admin[\"\]]?\s*[:=]\s*[\"t1y]", r"\?unix", r"-\d*\s*,\s*\d*-\d*\s*,",
]
"""What is looked at in the request as a whole (protocol.py)."""


def _anywhere(expression: str) -> str:
    """The expression for text in which values stand between others: they begin behind a mark and end before one."""
    expression = expression.replace(r"[\r\n\x85]", r"(?:%0[ad]|\\[rn]|\x85)")
    return expression.replace(r"\A", r"(?:[\n\"=:?])\s*").replace(r"|\z", r"|[\n\"&]").replace(r"\z", r"[\n\"&]")


_TRIGGERS = Scanner(TRIGGERS, single=True)
_ANYWHERE = [_anywhere(trigger) for trigger in TRIGGERS] + WHOLE
_PLAIN = Scanner(_ANYWHERE, single=True)
_MARKS = Scanner(MARKS, single=True)
_WHOLE = Scanner(WHOLE, single=True)
RAW = Scanner(_ANYWHERE + MARKS)
"""For the bytes of many requests, a line end before and after each piece."""
SCANNERS = (_TRIGGERS, _PLAIN, _MARKS, _WHOLE, RAW)


def has_trigger(reading: str) -> bool:
    """Whether a judge could find anything in this reading of a value."""
    return bool(_TRIGGERS.positions(reading.encode("utf-8", "surrogatepass"), 1))


def has_raw_trigger(octets: bytes) -> bool:
    """Whether a judge could find anything in a value that stands in these bytes, as they are."""
    return bool(_PLAIN.positions(b"\n" + octets + b"\n", 1))


def needs_whole(octets: bytes) -> bool:
    """Whether something in these bytes has its meaning together with the rest of the request."""
    return bool(_WHOLE.positions(b"\n" + octets + b"\n", 1))


def needs_decoding(octets: bytes) -> bool:
    """Whether something in these bytes is encoded."""
    return bool(_MARKS.positions(octets, 1))
