"""Patterns of what a browser or a server's page engine would run: scripts in markup, server-side includes.

In: nothing; out: BROWSER. The one law: markup that formats (bold, links, pictures, generics in code) has no points.
"""

from __future__ import annotations

from sensor.detection.injection.pattern import Pattern

_HANDLERS = (
    r"on(?:abort|activate|after\w+|animation\w+|auxclick|before\w*|begin|blur|bounce|can\w+|cellchange|change|click|close"
    r"|context\w+|controlselect|copy|cuechange|cut|data\w+|dblclick|deactivate|drag\w*|drop|duration\w+|emptied|end|ended|error"
    r"|filterchange|finish|focus\w*|form\w+|fullscreen\w*|gotpointer\w+|hashchange|help|input|invalid|key\w+|languagechange"
    r"|layoutcomplete|load\w*|losecapture|lostpointer\w+|media\w+|message|mouse\w+|move\w*|offline|online|outofsync"
    r"|page\w+|paste|pause|play\w*|pointer\w+|popstate|progress|property\w+|rate\w+|ready\w+|rejectionhandled|repeat"
    r"|reset|resize\w*|resume|reverse|row\w+|scroll\w*|search|seek\w*|select\w*|show|slotchange|stalled|start|stop|storage"
    r"|submit|suspend|sync\w+|time\w+|toggle|touch\w+|track\w+|transition\w+|unhandled\w+|unload|url\w+|volumechange"
    r"|waiting|webkit\w+|wheel|zoom)"
)
_DIALOG = r"(?:alert|confirm|prompt|print|eval|execscript|settimeout|setinterval|msgbox|atob|unescape|import|fetch)"
_GLOBAL = r"(?:window|self|top|parent|frames|globalthis|this|document|content)"

BROWSER = [
    Pattern("xss", 10, "script tag", r"<[\s\x00/]*(?:\w+:)?\s*s[\s\x00]*c[\s\x00]*r[\s\x00]*i[\s\x00]*p[\s\x00]*t[\s/>\x00:\"'\\+]", True),
    Pattern("xss", 10, "script tag", r"<\s*(?:\w+:\s*)?script\s*\z|<\s*/\s*script|<\s*:?vmlframe\b", True),
    Pattern("xss", 10, "event handler in a tag", r"<[!?/%]?[a-z][^<>]*[\s/\"'`\x00-\x20\x80-\xff\\)0-9a-f]" + _HANDLERS + r"[\s\x00-\x20]*=", True),
    Pattern("xss", 6, "event handler in a tag", r"<[^<>]*[\s/\"'`]on[a-z]{3,40}\s*="),
    Pattern("xss", 8, "event handler after a quote", r"[\"'`][\s/;]{0,4}[^<>\"'`=]*\b" + _HANDLERS + r"\s*=\s*[^\s=]"),
    Pattern("xss", 6, "event handler", r"(?:\A|[\s/\"'`;,<])" + _HANDLERS + r"\s*=\s*[\"'`]?\s*(?:[a-z$_][\w.$]*\s*[(`\[=.]|javascript|\(|\{|\[|&)"),
    Pattern("xss", 5, "event handler", r"(?:\A|[\s/\"'`<>;])\s*on(?:error|load|click|focus|blur|mouse\w+|key\w+|toggle|pointer\w+|begin|end|submit|(?-i:[a-z]{6,40}|[A-Z]{6,40}))\s*=(?:\s*\z|\s*[\"'])"),
    Pattern("xss", 10, "script URI in an attribute", r"(?:=|url\s*\()[\s\"'`\x00-\x20\\a-f0-9]{0,12}(?:j\s*a\s*v\s*a|v\s*b|live|mocha)\s*s\s*c\s*r\s*i\s*p\s*t\s*:", True),
    Pattern("xss", 8, "script URI", r"(?:\A|[\s\"'`=(/>,;:%])(?:java|vb|live)[\s\x00\\]{0,4}s[\s\x00\\]{0,4}c[\s\x00]{0,4}r[\s\x00]{0,4}i[\s\x00]{0,4}p[\s\x00]{0,4}t[\s\x00\\]{0,4}:[^\s,.]"),
    Pattern("xss", 6, "script URI", r"\A[\s/\"'.]*(?:java|vb|live)script\s*:"),
    Pattern("xss", 9, "document as a URI", r"data\s*:\s*(?:text/(?:html|xml|javascript)|image/svg\+xml|application/(?:x-)?(?:javascript|xhtml|xml))[^\s]*[,;]"),
    Pattern("xss", 5, "document as a URI", r"(?:=|\()\s*[\"'`]?\s*data\s*:\s*[^i\s][^\s,]*,|\bdata\s*:\s*,\s*<"),
    Pattern("xss", 2, "call of a dialogue in markup", r"[<>\"'`;(){}=/&|^*+,?:\[\]-]\s*(?:alert|confirm|prompt)\s*[(`]"),
    Pattern("xss", 8, "call of a dialogue in markup", r"[<>\"'`;(){}=/&|^*+,?:\[\]-]\s*" + _DIALOG + r"\s*(?:\(|`|\\?u0028|\\x28|\?\.)[^)]*[)`]"),
    Pattern("xss", 8, "call of a dialogue", r"(?:\A|[^\w.]|\.\s{0,2})(?:alert|confirm|prompt|msgbox)\s*(?:\(|`|\?\.\()\s*(?:[\"'`/\d)]|document|location|origin|window|this|self|top|string|name|xss|cookie|\w{1,12}\.)"),
    Pattern("xss", 7, "call of a dialogue", r"\A\W{0,12}(?:alert|confirm|prompt|eval|execscript|setinterval|settimeout|msgbox|new\s+function|function)\s*[(`]"),
    Pattern("xss", 7, "call of a dialogue", r"\b(?:alert|confirm|prompt|eval|settimeout)\s*\)?\s*\.\s*(?:call|apply|bind)\s*[(`]|\(\s*(?:alert|confirm|prompt|eval)\s*\)\s*(?:\(|`)|\b(?:alert|confirm|prompt|eval)\s*\?\.\s*\("),
    Pattern("xss", 6, "code from text", r"(?:\A|\W)(?:eval|settimeout|setinterval|execscript|new\s+function)\s*\(\s*(?:[\"'`/]|atob|unescape|string|location|name|this|src|decode|\w+\.|\d)"),
    Pattern("xss", 5, "property of the page alone", r"\A(?:window|document|self|top|parent)\.(?:location|cookie|domain|write|name|open)\b\W*\z|\A(?:alert|btoa|atob|confirm|prompt|eval|fetch)\s*\(\s*\)\W*\z|[\"']\s*formaction\s*="),
    Pattern("xss", 6, "import of a script", r"\bimport\s*\{[^{}]{1,80}\}\s*from\s*[\"']"),
    Pattern("xss", 6, "document property behind a comment", r"\bdocument\s*/\*[^*]*\*/\s*\.\s*\w"),
    Pattern("xss", 6, "document property", r"\bdocument\s*(?:\.|\[|\?\.)\s*[\"'`]?\s*(?:cookie|domain|location|write(?:ln)?|body|head|documentelement|createelement|getelement|queryselector|url|referrer|forms|scripts|default\w+|all\b|open|domain)"),
    Pattern("xss", 7, "window property by name", r"\b" + _GLOBAL + r"\s*(?:\[\s*(?:[\"'`/+(\\]|\w+\s*\+|\d+\s*\])|\.\s*(?:alert|eval|open|name|onerror|atob|location\s*=)\b)"),
    Pattern("xss", 6, "location set", r"\blocation\s*(?:=\s*[\"'`/nhajd(]|\.\s*(?:href|hash|replace|assign|search|pathname|reload)\b|\[)"),
    Pattern("xss", 8, "text from character codes", r"\bfromcharcode\b|\bfromcodepoint\b|\bunescape\s*\(\s*[\"'`]%|\batob\s*\(\s*[\"'`]"),
    Pattern("xss", 6, "markup written", r"\b(?:inner|outer)html\b\s*(?:=|\.)|insertadjacenthtml|\.(?:innertext|textcontent)\s*=\s*[\"'`]|\.appendchild\s*\("),
    Pattern("xss", 8, "constructor called", r"\bconstructor\s*(?:\[[^\]]*\]|\.\s*constructor)?\s*\(\s*[\"'`]|\[\s*[\"'`]constructor[\"'`]\s*\]|(?:\.\s*(?:find|map|filter|some|every|sort|foreach|replace|call|apply|bind|from|reduce)\s*(?:\(|`)[^)]*\b(?:alert|confirm|prompt|eval)\b)"),
    Pattern("xss", 9, "script of brackets alone", r"\[[\[\]()!+{}]{22,}|\(!\[\][\s+]+\[\]\)|\[\]\[\(!|\(!!\[\]|\$=~\[\]|\[\$\._\$"),
    Pattern("xss", 6, "exception as a call", r"\bthrow\s+(?:\w+|[\"'`])\s*[;,/]|\bonerror\s*=\s*(?:alert|eval|confirm|prompt)"),
    Pattern("xss", 8, "style that runs", r"\bexpression\s*(?:\(|\\|/\*)|-moz-binding\s*:|behaviou?r\s*:\s*(?:url|#)|@import\s*[\"'(\\u]|url\s*\(\s*[\"']?\s*(?:javascript|vbscript|data:text)|-o-link\s*:"),
    Pattern("xss", 7, "breakout into a tag", r"\A[^<]*[\"'`]\s{0,4}/{0,2}>\s*<\s*[a-z!/]|[\"'`]\s*[)\]}]*\s*;?\s*</(?:\W|script|st[yr]|t[a-z]{3}|no[a-z]|iframe|select|opt|svg|math|xmp|body|html|head|form|div|object|embed|video|audio|x[\s>]|\w+[^\w\s>]|\z)|-->\s*<\s*[!a-z/]|\A[\"'`]*\s*/?>\s*<[a-z!/]"),
    Pattern("xss", 6, "breakout into script", r"\A[^\"'`]{0,60}[\"'`]\s*[;)}\]]+\s*(?:[a-z_$][\w$.]*\s*[(`=]|//|\{)|(?:\A|[^\s(=])[\"'`]\s*[-+*/^|&]{1,2}\s*(?:[a-z_$][\w$.]{2,30}(?:\s*\(|`)|\(|\[)|\A\s*(?:\\x22|\\x27|\\\\?[\"'])\s*[;)]"),
    Pattern("xss", 7, "end of a raw text element", r"</\s*(?:title|style|textarea|noscript|noembed|noframes|iframe|xmp|plaintext|template|comment|math|svg|frameset)\b", True),
    Pattern("xss", 8, "frame or plug-in", r"<\s*(?:iframe|frame|frameset|embed|object|applet|layer|ilayer|bgsound|portal|fencedframe)[\s/\x00]|(?:\A|\W)<\s*(?:iframe|frame|frameset|embed|object|applet|layer|ilayer|bgsound|portal|fencedframe)(?:>|\z)"),
    Pattern("xss", 7, "element that changes the page", r"<\s*(?:isindex|xss|marquee|math|svg|event-source|animate\w*|foreignobject|vmlframe|\w+:vmlframe|keygen|eval|xsl:\w+|stylesheet|x:\w+|maction|discard|noembed|plaintext)(?:[\s/>:\x00]|\z)|<\s*(?:base|meta|link|xml|import|set|html|body|style|dialog|image|handler|listener|use|comment)[\s/:\x00]+[^\s>]"),
    Pattern("xss", 4, "element that changes the page", r"<\s*(?:base|meta|link|xml|import|set|html|body|style|dialog|image|handler|listener|use|comment)(?:\s*>|\s*\z)"),
    Pattern("xss", 5, "element that loads or sends", r"<\s*(?:form|input|button|textarea|select|video|audio|source|track|details|template|noscript|label|keygen|area|canvas|fieldset|bdo|blink)[\s/]+[^<>]*=|<\s*f\s*o\s*r\s*m\b|<form[\s>/]"),
    Pattern("xss", 6, "attribute that loads script", r"(?:\A|[^\w-])(?:srcdoc|formaction|xlink:href|dynsrc|lowsrc|datasrc|datafld|dataformatas|background|http-equiv|fscommand|seeksegmenttime|ev:event|attributename|action|poster|ping)\s*=\s*[\"'`]?\s*(?:\?|#|\"|'|j|data|v|//|https?:|&|x|<|[a-z])"),
    Pattern("xss", 6, "picture that fails", r"<\s*i?m(?:g|age)[^>]*\b(?:src|dynsrc|lowsrc)\s*=\s*[\"'`]?\s*(?:[x\d#?*&/>]{1,3}[\"'`\s/>]|[\"'`\s]*(?:java|vb|data:|&)|\w{1,3}:|[\"'`]?\s*(?:\z|on))|<img\s*[\"'`/\\]"),
    Pattern("xss", 5, "tag cut open", r"<\s*[a-z][a-z0-9:]{0,12}[/\x00\x0b\x0c][^<>/]*=|<[a-z]{1,10}/\w+=|<\s*[/!?%]*[a-z]{1,12}[\s/]+(?:style|id|class|href|src|name|value|to|from)\s*=\s*[^\"'\s>][^<>]*(?:script|alert|expression|&#)"),
    Pattern("xss", 5, "quotes in a tag", r"<(?:'\"|\"')>"),
    Pattern("xss", 6, "style with an escape", r"style\s*=\s*[\"'`]?[^\"'`>]*(?:\\[0-9a-f]{1,6}|/\*[^*]*\*/|expression|url\s*\(|:\s*\w+\\)"),
    Pattern("xss", 6, "control section", r"<!\[cdata\[\s*<|<!\[endif|<!--\[if|<\?xml-stylesheet|<\?import|<!\[\s*<|<!--\s*\[|<%\s*<"),
    Pattern("xss", 5, "markup end and comment", r"\A[^<]{0,60}(?://)?-->[^-]*(?:/\*|<)|\A[^<\s]{0,40}\s?\*/[^-\w][^-]*(?:/\*|<)|\A[^<\s]{0,40}\s?(?:-->|\*/)\s*\z|<!--[^>]*--!?>\s*<|</\s*(?:body|html|form|frameset|head)\s*>"),
    Pattern("xss", 7, "markup in UTF-7 or odd letters", r"\+adw-\s*\w+|\+ad4-|[\xbc\xbe]script|\xa2xss|\\x3c(?:script|img|svg|iframe)|\\u003c(?:script|img|svg|iframe)|&lt;script|%3cscript"),
    Pattern("xss", 5, "script with tricks", r"\bjavascript\s*:\s*//|/\*-?/\*`|\*/--|\"/\*'|\bsetter\b\s*=|__(?:define[gs]etter|proto|lookupgetter)__\s*[.(\[]|\bimport\s*\(\s*[\"'`/]|\bactivexobject\s*\(|\bxmlhttprequest\s*\(|\bnew\s+image\b|\$\.(?:get|getscript|ajax|globaleval)\s*\(|\bwith\s*\(\s*document\s*\)|\bnavigator\s*\.\s*(?:sendbeacon|credentials)|\bsendbeacon\s*\(|\bpostmessage\s*\("),
    Pattern("xss", 5, "link to a script", r"<a[\s/][^>]*href\s*=\s*[\"'`]?\s*(?:[\x00-\x20]{0,4}(?:java|vb|data|&|\\))"),
    Pattern("xss", 6, "script from elsewhere", r"\bcallback\s*=\s*(?:alert|confirm|prompt|eval)\b|\bsrc\s*=\s*[\"'`]?\s*(?:https?:)?//[^\s>\"']+\.js\b|\.js[\"'`]?\s*>\s*</"),
    Pattern("ssi", 10, "server-side include", r"<!--\s*#\s*(?:exec|printenv)\b", True),
    Pattern("ssi", 9, "server-side include", r"<!--\s*#\s*include\b", True),
    Pattern("ssi", 6, "server-side statement", r"<!--\s*#\s*(?:echo|config|flastmod|fsize|set)\b"),
    Pattern("ssi", 6, "server-side statement", r"<!--\s*#\s*if\b"),
    Pattern("ssi", 10, "edge-side include", r"<\s*/?\s*esi:(?:include|inline|remove|vars|debug|assign|eval|try|choose)\b|<!--esi\b|\$\((?:http_|query_string|request_)\w*[{)]", True),
]
