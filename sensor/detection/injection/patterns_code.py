"""Patterns of code that a server's language or template engine would run: PHP, Node, Java, Perl, templates, objects.

In: nothing; out: CODE. The one law: names of classes and functions count when they are the value, not in prose.
"""

from __future__ import annotations

from sensor.detection.injection.pattern import Pattern

_PHP_CALLS = (
    r"(?:base64_(?:de|en)code|gzinflate|gzuncompress|gzdecode|gzencode|gzcompress|str_rot13|shell_exec|passthru|proc_open|popen|pcntl_\w+|"
    r"assert|create_function|call_user_func(?:_array)?|func_get_args?|preg_replace\w*|array_(?:map|filter|diff\w*|walk\w*|reduce|u\w+|intersect\w*)|"
    r"usort|uasort|uksort|file_get_contents|file_put_contents|fopen|fsockopen|fwrite|fputs|fgets|fread|readfile|highlight_file|show_source|"
    r"phpinfo|php_uname|phpversion|phpcredits|php_strip_whitespace|getenv|putenv|get_defined_\w+|ini_(?:set|get\w*|alter|restore)|parse_str|extract|parse_ini_file|var_dump|"
    r"print_r|var_export|move_uploaded_file|tmpfile|tempnam|unserialize|serialize|simplexml_load_\w+|curl_(?:init|exec|\w+)|"
    r"gethostby(?:name\w*|addr)|posix_\w+|chr|hex2bin|bin2hex|hexdec|pack|unpack|strrev|str_replace|strtr|substr_replace|implode|"
    r"session_start|set_time_limit|error_reporting|error_log|opendir|readdir|scandir|glob|mkdir|rmdir|unlink|chmod|chgrp|"
    r"eval|exec|system|include(?:_once)?|require(?:_once)?|ob_start|register_\w+_function|iterator_apply|sqlite_\w+|mysql_\w+|mysqli_\w+|pg_\w+|odbc_\w+|"
    r"strip_tags|intval|htmlspecialchars\w*|array_key_exists|is_(?:file|dir|callable|a)|filter_(?:var|input)|debug_zval_dump|debug_backtrace|dl|"
    r"fileperms|fileowner|filegroup|filesize|file_exists|readlink|symlink|link|stat|touch|rename|copy|ftp_\w+|imap_\w+|mb_\w+|image(?:create\w*|copy\w*|gif|jpeg|png|webp|string\w*|ttf\w+|load\w+|filter|scale)|gz\w+|bz\w+|zlib_\w+|zip_\w+|xml_\w+|token_\w+|ctype_\w+|str_\w+|date_\w+|wp_\w+)"
)
_JAVA_DANGER = r"(?:runtime|processbuilder|processimpl|unixprocess|scriptenginemanager|classloader|reflect|beans\.\w+|objectinputstream)"
_SUFFIX = r"(?:clonetransformer|forclosure|instantiatefactory|instantiatetransformer|invokertransformer|prototypeclonefactory|prototypeserializationfactory|whileclosure|getproperty|filewriter|xmldecoder|chainedtransformer|constanttransformer|templatesimpl|annotationinvocationhandler)"

CODE = [
    # PHP
    Pattern("php", 10, "PHP tag", r"<\?\s*(?:php|=|\x09)|<\?\s+(?:echo|system|print|eval|include|require|passthru|exec|\$)|<\?(?:\s|\z|[^\w\s?>!]|\w+\s*[(;$=\[\"\'`])|<\?xml\s*\n\s*:|\[/?php\]|\{/?php\}|<script\s+language\s*=\s*[\"']?php", True),
    Pattern("php", 5, "call of a name in brackets", r"\A\W{0,3}\(\s*[a-z_]\w{1,30}\s*\)\s*\([^()]{0,60}\)\s*;"),
    Pattern("php", 9, "PHP superglobal", r"\$\s*_(?:get|post|request|server|files|cookie|session|env)\b|\$\s*globals\b|\$\{\s*_(?:get|post|request|server|cookie)|http_(?:get|post|cookie|server|raw_post)_(?:vars|data)", True),
    Pattern("php", 8, "PHP stream", r"(?:\b(?:php|phar|zip|expect|glob|ssh2(?:\.\w+)?|ogg|rar|bzip2|compress\.zlib|zlib|data|jar)|(?:\A|[=\"'])(?:file|sftp))://(?:filter|input|output|stdin|temp|memory|fd|\S{1,100}(?:\.(?:zip|phar|lz|gz|php|jpe?g|png|txt|ini)|#|/)|\w{1,10}\b)|\bconvert\.(?:base64|quoted|iconv)"),
    Pattern("php", 7, "PHP call", r"(?:\A|[^\w.>])(?:base64_decode|gzinflate|gzuncompress|gzdecode|str_rot13|shell_exec|passthru|proc_open|pcntl_exec|assert|create_function|call_user_func(?:_array)?|func_get_args?|file_(?:get|put)_contents|fsockopen|readfile|highlight_file|show_source|phpinfo|php_uname|phpversion|get_defined_\w+|ini_set|parse_ini_file|var_dump|print_r|move_uploaded_file|unserialize|posix_\w+|gethostby\w+|register_shutdown_function|preg_replace\w*|array_(?:map|filter|diff_ukey|walk)|set_time_limit|error_reporting)\s*=?\s*\("),
    Pattern("php", 6, "PHP call alone", r"\A\W{0,6}(?:\w{1,8}\W{1,3})?(?:[sfv]?printf|" + _PHP_CALLS + r")\s*=?\s*\("),
    Pattern("php", 5, "call alone", r"\A\W{0,3}[a-z][a-z0-9]{1,20}(?:_[a-z0-9]{1,30}){1,8}\s*\((?:\s*\))?;?\s*\z|\A" + _PHP_CALLS + r"\s*\(\s*(?:\)|\w{1,12}\))?;?\z"),
    Pattern("php", 6, "call that unpacks or runs", r"(?:gzinflate|gzdecode|gzuncompress|base64_decode|str_rot13|shell_exec|passthru|phpinfo)\s*\("),
    Pattern("php", 5, "call behind a comment", r"(?:\$\w+|\b" + _PHP_CALLS + r")\s*(?:(?:#|//)[^\n]*[\r\n]+\s*|/\*[^*]*\*/\s*)+\("),
    Pattern("php", 6, "call of a name in quotes", r"\b(?:return|echo|print)\s*[\"']\w+[\"']\s*\(|\w::\$\w+\s*\(|\$\s+\{\s*[\"']|\A\w{2,20}[\r\n]+\s*\("),
    Pattern("php", 6, "call behind a break-out, the rest cut off", r"[;.'\"]\s*[a-z_]\w{1,30}\s*\([^\n]{0,200}\)+\s*;\s*(?://|#)\s*\z"),
    Pattern("php", 5, "PHP call with text", r"(?:\A|[^\w.>]|[^\w)\]]\.|[^-]>)" + _PHP_CALLS + r"\s*\(\s*(?:[\"'$]|\d{2}|\d[^\w)])"),
    Pattern("php", 8, "PHP variable call", r"\$\s*\{?\s*@?\s*\$?\w*\s*\}?\s*(?:\[[^\]]+\]|\{[^}]+\})+\s*\(|\$\s*\{\s*@?\$?\s*[\w'\"]+\s*\}\s*(?:\(|\z)|\$\w{1,20}\s*\(\s*(?:\$|\d|[\"'])|\$\s*\{\s*@?(?:print|eval|system|phpinfo|assert)|\)\s*\(\s*[\"'][^\"']+[\"']\s*\)\s*;|\(\s*string\s*\)\s*[\"'{\[(]|\(\s*[\"'][^\"']+[\"']\s*\.?[^)]*\)\s*\(|\[\s*[\"']?\w+[\"']?\s*\]\s*\[\s*\d\s*\]|\}\s*\(\s*[\"']"),
    Pattern("php", 6, "PHP setting", r"\b(?:allow_url_(?:include|fopen)|auto_(?:prepend|append)_file|disable_functions|open_basedir|safe_mode|extension_dir|mbstring\.\w+|opcache\.\w+|session\.\w+|zend_extension|sendmail_path|display_errors|cgi\.force_redirect|suhosin\.\w+|magic_quotes\w*|error_(?:log|append|prepend)\w*|user_agent|zlib\.\w+|pcre\.\w+|mail\.\w+|soap\.\w+|curl\.\w+|output_handler|date\.timezone|max_execution_time|memory_limit|engine|asp\.\w+|unserialize_callback_func|short_open_tag|include_path|doc_root)\s*=\s*\S"),
    Pattern("deserialisation", 9, "PHP object", r"\b[oc]:\+?\d{1,6}:\"[\w\\]{1,80}\":\+?\d{1,6}:\{|\ba:\d{1,4}:\{(?:i:\d|s:\d)[^}]*[;{][ocb]:\d", True),
    Pattern("php", 8, "PHP session file", r"\bsess_[\w,-]{10,}"),
    # Node
    Pattern("node", 9, "Node code", r"\brequire\s*(?:\(\s*[\"'`]?\s*(?:child_process|fs|os|net|http|vm|util|req\b|module|path)|\[)|\bchild_process[\"'`)\]]|\bchild_process\s*\.\s*(?:exec|spawn|fork)|\bprocess\s*\.\s*(?:mainmodule|binding|env\b|exit|kill|dlopen|stdout)|\bmainmodule\b|\bglobal\s*\.\s*process|\bprocess\.main"),
    Pattern("node", 8, "Node serialised function", r"_\$\$nd_func\$\$_|__js_function|\bthis\s*\.\s*constructor\b|\breturn\s+process\b|\bspawnsync\b|\bexecsync\b", True),
    Pattern("node", 7, "prototype pollution", r"__proto__|\bconstructor\s*(?:\.|\[|\]?\[)\s*[\"']?prototype\b|\[\s*constructor\s*\]\s*\[\s*prototype"),
    Pattern("node", 6, "Node code", r"\bprocess\s*\[|\bmodule\s*\.\s*exports\s*=(?:\s*\z|\S|\s*(?:function|require|process|global|this)\b)|\A\W{0,3}while\s*\([^)]{1,40}\)\s*;|\bmodule:prototype\b"),
    Pattern("node", 7, "JavaScript that runs", r"\bconsole\s*(?:\.|\[\s*[\"'`])\s*(?:log|info|debug|error|warn|trace|table|dir|assert|group|time|count|clear)\s*(?:[\"'`]\s*\])?\s*(?:\(|\.\s*(?:call|apply))|\bnew\s+function\s*\(|\bfunction\s*\(\s*\)\s*\{|\beval\s*\(|\bstring\s*\.\s*fromcharcode|\bwhile\s*\(\s*(?:!|true|1)[^)]*\)|\bthis\s*\.\s*(?:constructor|process|global)|\breflect\s*\.\s*(?:get|construct)|\basync\s+function\s*\("),
    # Java
    Pattern("java", 9, "Java class that runs commands", r"\bjava\s*[./]\s*lang\s*[./]\s*(?:runtime|processbuilder|process|class|system|reflect|thread|classloader)\b|\bjavax\s*\.\s*(?:script|naming|el|management)\b|\bgetruntime\s*\(|\bjava\.util\.(?:scanner|logging\.\w+|prefs)\b|\bjava\.net\.(?:url|socket)\w*"),
    Pattern("java", 7, "Java class name", r"(?:\A|[\"'=>\s(@])(?:java\.(?:io|lang|util|net|nio|rmi|security|sql|beans)\.\w{3,40}|com\.(?:opensymphony\.xwork2?|sun\.org\.apache|sun\.rowset|mchange|alibaba\.fastjson)\b|org\.(?:apache\.(?:commons|struts2|xalan|catalina|tomcat|log4j)|codehaus\.groovy|springframework|mozilla\.javascript|jboss|hibernate|omg\.corba)\b|sun\.(?:reflect|misc|rmi)\b|freemarker\.template)[\w.$]*\s*(?:\z|[\"'<=:();,])"),
    Pattern("java", 8, "Java call chain", r"\b(?:runtime|processbuilder)\b[\s\S]*\b" + _SUFFIX + r"|\bjava\b[\s\S]*\b(?:runtime|processbuilder)\b|\bruntime\s*\.\s*(?:\w+\s*\.\s*)?(?:exec|getruntime|" + _SUFFIX + r")|\bprocessbuilder\s*(?:\.\s*\w|\()|\b" + _SUFFIX + r"\b"),
    Pattern("java", 9, "class loader or OGNL", r"\bclass ?(?:\.|\[\s*[\"']?) ?(?:module|classloader|protectiondomain|forname)\b|\bclassloader\s*\.\s*(?:resources|parent|urls)|#_?memberaccess|@ognl|\bognl\.\w+|\b#(?:context|request|session|attr|application|cmd)\s*=|@java|\(#\w+\s*=|\bxwork\b|\b_memberaccess\b|\bactioncontext\b|\bmethod:#|\bredirect(?:action)?:\s*[$%#]\{|\bpipeline\.first\.(?:pattern|directory|prefix|suffix)", True),
    Pattern("deserialisation", 10, "serialised object", r"\b(?-i:rO0AB[A-Za-z0-9+/]{4,}|KLztAAU|Cs7QAF|AAEAAAD/{3,}|rO0ABQ|KztAAU|gASV[A-Za-z0-9+/]{8,}|gAN[A-Za-z0-9+/]{10,})|\xac\xed\x00\x05|\baced0005|!!(?:javax|python|ruby|com|org|java|clojure|groovy)[./\w]|!ruby/(?:object|hash|struct)|!!python/\w+|cos\nsystem\n|(?-i:\(S')|\bc__builtin__\n|\"\$type\"\s*:\s*\"system\.|\"@type\"\s*:\s*\"(?:com\.|org\.|java|sun\.|lcom)|<(?:java\.|sorted-set|dynamic-proxy|objectdataprovider|linked-hash-set|native\s|void\s+(?:class|method)|object\s+class)|\bobjectdataprovider\b|\bysoserial\b|\bjyaml\b|\b__reduce__\b|\bxmldecoder\b|\bjavax\.el\.elprocessor|\b__viewstate=[\w%+/]{2000,}", True),
    # JNDI
    Pattern("jndi", 10, "JNDI look-up", r"\$\s*\{\s*\$?\s*\{?[^}\s]*j[^}\s]*n?[^}\s]*d[^}\s]*i[^}\s]*:|\$\{\s*jndi|\$\{(?:lower|upper|env|sys|date|main|ctx|java|base64|bundle|log4j|web|docker|k8s|spring|map|marker|sd)[:|-]|\$\{::-|\$\{[^}]*:-[a-z]\}|\$\{\$\{|\bj\$\{|\$\{\s*(?:lower|upper)\s*:|\$%7bjndi|&dollar;\{jndi|\bjndi:(?:ldaps?|rmi|dns|iiop|corba|nis|nds|https?):|\\u0024\{", True),
    # templates
    Pattern("ssti", 10, "template expression that computes", r"(?:\{\{|\$\{|#\{|<%=?|\*\{|@\(|\{%|@\{|~\{|\[\[|\{\{=|\{@|\$!?\{)\s*[^\s{}]*[\"']?\s*\d{1,8}\s*[*+-]\s*[\"']?\d{1,8}", True),
    Pattern("ssti", 9, "template reaching into objects", r"__\w{2,20}__[^a-z]{0,6}[.\[]\s*[\"']?__\w|[\[(|{=]\s*[\"']?__(?:class|mro|subclasses|globals|builtins|import|base|bases|getattribute|self|reduce_ex)__|\A\W{0,4}__(?:class|mro|subclasses|globals|builtins|import|init|base|bases|dict|getattribute|code|self|reduce_ex)__\W{0,4}\z|\bself\s*\.\s*(?:_?\w+\s*\.\s*)*(?:module|template|attr|environ|_templatereference)\b|\b(?:config|request|session|g|app|self|lipsum|cycler|joiner|namespace|url_for|get_flashed_messages|settings)\s*(?:\.|\[|\|)\s*[\w\"']+[^{}]*\}\}|\|\s*attr\s*\(|\.(?:class|getclass\(\))\s*\.|\.\s*class\s*\.\s*(?:base|mro|forname)|\.mro\b|\.subclasses\s*\("),
    Pattern("ssti", 9, "expression that calls", r"(?:\{\{|\$\{|#\{|<%=?|\*\{|%\{|\{%|@\{|~\{|\{php\}|\{literal\}|\{if\b|\$\(|\{\{=|\{@|\{\$)[^{}<>]*(?:\w\s*\(|\w\s*\[|\|\s*\w+|\bnew\s|\bT\s*\()"),
    Pattern("ssti", 6, "template expression", r"\{\{[^{}]*[^\w\s.{}-][^{}]*\}\}\s*\z|\{\{\s*(?:config|self|request|settings|session|app|this|g|env|debug|dump|constructor|_\w+)\s*\}\}|\A\W{0,3}(?:(?:\$\{|#\{)[^{}]*[^\w\s.:{}-]|(?:\$\{|#\{)\s*(?:config|self|request|settings|session|app|this|g|env|debug|dump|constructor|class|product|_\w+)\s*\}|\*\{|@\{|\{\{[^{}]*[^\w\s.{}-]|~\{|<%|\{#|\{@|\[\[\$)[\s\S]*(?:\}|%>|\]\])|\A\W{0,3}%\{[^{}]*[^\w\s:{}-][^{}]*\}"),
    Pattern("ssti", 3, "placeholder", r"\{\{[^{}]+\}\}"),
    Pattern("ssti", 9, "expression that reaches the system", r"(?:\{\{|[$#*@%~]\{)[^{}]{0,80}(?:\bT\s*\(|\bgetruntime\b|__(?:class|globals|subclasses|import)__|\bforname\s*\()", True),
    Pattern("ssti", 8, "template statement", r"\{%-?\s*(?:for|if|import|include|set|extends|block|debug|load|macro|with|raw|autoescape|print|do|import|from|csrf_token|ssi|url|apply|filter)\b[^{}]*%\}|#set\s*\(\s*\$|#(?:foreach|if|evaluate|include|parse|macro|define)\s*\(|<#(?:assign|if|list|include|import|macro|ftl)\b|\?new\s*\(|\?(?:api|eval|interpret)\b|<%[\s=@!#-]|\{\s*(?:system|exec|php|include|fetch|eval|math)[\s(][^{}]*\}|\{\s*self::[^{}]*\}|\{\s*php\s*\}|\bfreemarker\.\w+\.\w+|\bth:(?:text|utext|fragment|replace|inline)\b|\bt\s*\(\s*java\.|\bsmarty\.(?:version|template|const)|\bvar\s+\w+\s*=\s*require\(|\{\{#(?:with|each|if|unless)|<%\w+\s*[.(\[%+*/=;]|<c:(?:out|set|import)|\bdebugfmt|@(?:system|using|functions|model|inject|for|if|html)\b\s*[({]"),
    Pattern("ssti", 8, "Perl in a text", r"@\{\s*\[|@\{\[|\$\{\\|@\{\s*\\|\bopen\s*\(?\s*\w+\s*,\s*[\"']"),
    Pattern("el", 8, "expression language", r"\b(?:sessionscope|requestscope|applicationscope|pagecontext|initparam|headervalues|facescontext|param\.\w+)\b\s*[.\[]|\$\{\s*(?:header|cookie|param|session|request|application|applicationscope|sessionscope|system|env|this|self|new|class|t\(|x|script|runtime|thread|util|string|['\"])[\w.'\"\s(\[]"),
    Pattern("ruby", 7, "Ruby or Python code", r"\bprocess\s*\.\s*(?:spawn|exec|kill|daemon)\b|\bkernel\s*\.\s*(?:exec|system|open|fork)|\bio\s*\.\s*popen|\bfile\s*\.\s*(?:read|open)\s*\(|\b%x\s*[({\[]|\bdir\s*\.\s*(?:entries|glob)|\b__import__\s*\(|\bos\s*\.\s*(?:system|popen|environ|listdir|getcwd)\b|\bexec\s*\(\s*compile|\bsubprocess\.\w+|\bfile\s*\(\s*[\"']/|\bopen\s*\(\s*[\"']/(?:etc|proc)|\bglobals\s*\(\s*\)|\blambda\s*:|(?:\A|[^\w-])importlib\b|\bactioncontroller\b|\berb\.new"),
]
