"""Does a value walk out of its folder, or name a file that no client should? In: a reading; out: findings of "path".

Steps upwards in every spelling, names of system and secret files, and units that repeat though they are no text. The
one law: one step up in a relative link ("../img/a.png") is no attack.
"""

from __future__ import annotations

import re

from sensor.detection.injection.finding import Finding

_DOTS = r"(?:\.{2,8}|\.\\{0,4}\x00?\.|(?:\.|\?|0x2e|%2e|%25?c0%(?:25)?\w\w|%e0%80%ae|%uff0e|\xc0.|%c0\.|%n){2,6})"
_SLASH = r"(?:[/\\;]|0x(?:2f|5c)|%0?\d*x?(?:2f|5c)|%25?[ceu][\w]{1,4}%?\w{0,3}|[25][fc]|%%\w\w%*\w*|\xc0.|\xc1.|\u2215|\u2216|%5%c|%\w%\w|%bg%qf|%\w\w){1,6}"
_STEP = re.compile(_DOTS + _SLASH, re.I)
_UP = re.compile(r"(?:\A|[/\\=;:\x00'\"({,\s])\.\.\\?(?:[/\\;]|\Z|%)|(?<!\.)\.\.[/\\]", re.I)
_DEEP = re.compile(r"(?<!\.)(?:\.\.+[/\\]+|\.+[/\\]+\.+[/\\]+\.\.+[/\\]+){2,}|(?<!\.)(?:\.{3,}[/\\]+){2,}|(?:[/\\]\.\.;?){2,}|(?:\.[/\\]+){8,}|\A\S*?\.{12}\S*\Z", re.I)
_GAP = r"(?:[^a-z0-9\s]|0x\w\w|%\w\w|[25][fc]|[/\\])\S{0,16}?"
_TARGETS = re.compile(
    rf"""(?:\A|[^a-z]|[25][fc]|0x2f|0x5c)etc{_GAP}(?:passwd|shadow|issue|group|hosts|hostname|fstab|motd|profile|crontab|sudoers|ssh|apache
      |nginx|httpd|mysql|my\.cnf|php|resolv|network|inetd|init\.d|exports|services|sysconfig|updatedb|vsftpd|proftpd|lighttpd|logrotate
      |syslog|redhat|debian|ssl|samba|pam|ldap|bash|environment|master|security|rc|x11|httpd|wu-ftpd|pure|squid|chrooted?|apt|default|snmp|kubernetes|alternatives|aliases|at|cron|mtab|mime|lsb|os-release|openldap|csh|ftp\w+|ntp|printcap|mail|modules|host|gshadow|ca-cert\w+|anacron|deb\w+|deluser|adduser|bluetooth|bonobo|cups|dhcp\w*|dns\w*|esound|fuse|foremost|gtk|hdparm|icedtea|ipfuse|kbd|kernel|ld\.so|ltrace|manpath|miredo|mono|mplayer|muse|odbc|opt|osxhttpd|oracle|papersize|phpmyadmin|polkit|postgresql|pulse|raccoon|rinetd|rmt|rpc|scrollkeeper|sensors|smb|smi|ssmtp|stunnel|subversion|sysctl|termcap|timezone|tinyproxy|tor|usb|uniconf|utmp|vim|vmware|webmin|wicd|wgetrc|xdg|zsh)
      |(?:\A|[^a-z])(?:boot|win|system|php|my|desktop|sysprep|unattend)\.(?:ini|inf|xml)\b|\bwin(?:dows|nt){_GAP}(?:system32|system|win\.ini|repair|php|debug|panther|iis|microsoft|temp|my\.ini|notepad|explorer|regedit|logs?|inf|\w+\.(?:log|ini|exe|sys))
      |system32{_GAP}(?:drivers|config|cmd|eventvwr|inetsrv|logfiles|\w+\.(?:exe|dll|ini|log))|(?:\A|[^\w.])proc{_GAP}(?:self|version|cmdline|environ|mounts|net|cpuinfo|meminfo|stat|\d+|filesystems|devices|modules|sched_debug|swaps|partitions|interrupts|ioports)\b
      |(?:\A|[^\w.])var{_GAP}(?:log|lib|mail|spool|cache|www|adm|run|local|webmin|data|htmp|apache|backup|cpanel|opt|nm|lock|log\w+)(?:{_GAP}\w|\Z|/)|(?:\A|[^\w.])(?:root|home{_GAP}[\w.*~$]+){_GAP}\.\w+|(?:\A|[^\w.~])/?(?:root|home)/\.?\w+/\.\w+
      |(?<!\w)\.(?:ssh|aws|azure|docker|kube|gnupg|svn|hg|git|bzr|cvs|claude|codex|cursor|rovodev|gemini|vscode|idea|terraform|circleci|github|gitlab|config/gcloud|m2|npm|cargo|composer|subversion){_GAP}\w|\bid_(?:rsa|dsa|ecdsa|ed25519)\b|\bauthorized_keys\b|\bknown_hosts\b
      |(?:\A|[/\\\s])\.(?:ht(?:access|passwd|group)(?!-\w)|env(?:\.\w+)?|git(?:config|ignore|modules|attributes|-credentials|/|\Z)|bash(?:rc|_history|_profile|_logout)|netrc|npmrc|pypirc|my\.cnf|mysql_history|psql_history|pgpass|history|profile|ds_store|dockerignore|dockercfg|viminfo|zshrc|zsh_history|sh_history|ksh_history|lesshst|rhosts|wgetrc|boto|s3cfg|mongorc\.js|travis\.yml|user\.ini|web\.config|aspnet|nsr|cshrc|forward|gitlab-ci\.yml|rediscli_history|node_repl_history|python_history|irb_history|vimrc|selected_editor|xauthority|cursorrules|mcp\.json|addressbook|nano_history|nuget|xinitrc|xsession\S*|Xresources|inputrc|screenrc|muttrc|lynx_history|login|logout|lhistory|passwd|profile|cvsrc|gtkrc\S*|emacs|exrc|mailrc|procmailrc|fetchmailrc|tcshrc|zlogin|zprofile)(?:\b|\Z)
      |\b(?:wp-config(?:\.\w+)?|web\.config|config\.inc\.php|configuration\.php|settings\.py|database\.yml|secrets\.(?:yml|yaml|json)|credentials\.(?:json|xml)|appsettings(?:\.\w+)?\.json|localsettings\.php|local\.xml|application\.(?:ya?ml|properties)|docker-compose\.ya?ml|parameters\.yml|server\.xml|tomcat-users\.xml|context\.xml|global\.asax?|web-inf|meta-inf|httpd\.conf|nginx\.conf|php\.ini|my\.cnf|sshd_config|master\.passwd|spwd\.db|pg_hba\.conf|shadow~|passwd~|ntuser\.dat|(?:config|repair)[/\\]+sam|unattend\.xml|sysprep\.inf|machine\.config|metabase\.xml|applicationhost\.config|hosts\.equiv|kubeconfig|terraform\.tfstate|id_rsa|npm-shrinkwrap\.json|auth\.json|error[_.]log|access[_.]log|error_log|debug\.log|access_log|catalina\.out|vsftpd\.log|auth\.log|httpd-(?:error|access)\.log|config\.toml|pureftpd\.\w+|my\.ini|mysql-bin\.\w+|mysqld?\.log|\w+-error\.log|proftpd\.conf|phpunit\.xml|xferlog|lastlog|utmp|wtmp)\b
      |\b[a-z]:[/\\]+(?:windows|winnt|program\s?files|documents\s+and|inetpub|xampp|wamp|apache|php|mysql|boot|nginx|log|temp|sys|appserv|www|tomcat|server|oracle|data|webserver|recycler|pagefile|minint|python|autoexec|config|msdos|io\.sys|hiberfil|bootsect|unattend|sysprep|\w+\.(?:ini|sys|log|txt|conf))
      |(?:\A|(?<=[=\s'"(,;:|&>])|(?<=\.[/\\])|(?<=://))(?:[/\\]|(?<=\.[/\\])|(?=usr|opt|nsconfig|private|volumes|applications))(?:usr|opt|srv|sys|dev|boot|tmp|lib|bin|mnt|run|library|volumes|applications|private|nsconfig)(?=[/\\%]|0x){_GAP}(?:local|etc|share|lib|class|null|zero|urandom|random|tcp|grub|apache|nginx|httpd|lampp|conf|bin|sbin|src|pkg|home|log|block|kernel|mem|stdin|fd|webserver|internal|power|bus|module|xampp|sess_|web\s?server|tomcat|jboss|zend|splunk|ports|ldap|adm|secrets|include|preferences|docs?|mysql|postgresql|secret)
      |(?:\A|(?<=[=\s'"]))[/\\]+(?:xampp|wamp|lampp|inetpub)[/\\]+\w|\bsess_[a-z0-9]{16,}|\bconf[/\\](?:httpd|apache|server|nginx|tomcat)|(?:apache|httpd|nginx|tomcat|lighttpd|php|mysql|www|web)\d?[/\\]+(?:conf|logs?|etc|bin|data)[/\\]|logs?[/\\]+(?:access|error|httpd|apache|mysql|auth|messages|syslog|secure|mail|cron)|\\\\[\w.]+\\(?:c|admin|ipc)\$""",
    re.I | re.X,
)
_SECRET = re.compile(
    r"passwd|shadow|sudoers|\.ini|\.ssh|\.aws|\.env|\.git(?:[/\\]|config)|\.ht|id_|_key|environ|cmdline|config|self|system32|wp-|web\.|secret|cred", re.I
)
"""Of the targets those that nobody speaks of in passing; others count for less behind a word of their own."""
_NAME = re.compile(r"(?:\w[\w.-]*/)*\.[a-z][\w-]*(?:\.\w{1,5})?(?=\Z|\s|%20|\+|/\w)")
_PLAIN_NAME = re.compile(r"\w[\w.-]*")
"""A file somebody uploads or lists, without a folder."""
_QUOTED = re.compile(
    r"\s*[\"“„«「]\s?[^\"”»」\s]+\s?[\"”»」]:?\s*[^\W\d_]{2,}|[^/\\%]*[^\W\d_]{3,}[^/\\%]*\s\.ht\w+\Z|\.ht\w+\s[^/\\%]*[^\W\d_]{3,}[^/\\%]*\Z"
)
"""A name between quotes of which something is said; a name without a folder among words."""
_UNPARTED = re.compile(r"[\u0e00-\u0eff\u3041-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Of languages that set no blanks between words: somebody speaks of a file."""
NAMED_MAX = 160
"""Characters of a value in which such a name is looked for."""
_BLANK = re.compile(r"[\s+]|%20")
_ROOTS = ("/", "\\", "~", "../", "..\\", '"/', "'/", '"\\', "'\\", "file:")
_ENCODED = re.compile(r"(?:%(?:25)*[0-9a-zA-Z%]{2}|0x\w\w|(?<=\.)[25][fc]|\?|[\x80-\xff\ufffd]|[./\\])+")
_REPEAT = re.compile(r"(.{2,28}?)\1{2,}", re.S)
_FILLER = re.compile(r"([A-Za-z0-9])\1{200,}")
_UPLOADS = re.compile(r"\bfile\s*:/{1,4}|\bphp://|\b(?:https?|ftp)://\S+\.(?:txt|php\d?|jpe?g|gif|asp|jsp|cgi|dat|pl|log)\?{0,2}(?:\Z|\x00|%00|&)", re.I)
_RFI = re.compile(r"\A(?:https?|ftps?|file|ogg|zlib|data)://(?:\d{1,3}(?:\.\d{1,3}){3}|\S+\?\Z|\S+%00|\S{1,100}\.(?:txt|php|log)\?*\Z)", re.I)


_ASSET = re.compile(r"(?:\.\./){1,3}[\w@-]+(?:\.[\w@-]+)*(?:/[\w@-][\w@.-]*)*\.(?:json|[cm]?[jt]sx?|s?css|less|md|html?|svg|png|jpe?g|gif|map)(?:#[\w/.-]*)?\Z")
"""What one file of a project calls another, as a schema, a style or a picture."""


_ORDINARY = re.compile(
    r"[\"'«„“]?(?:/usr/(?:local/)?(?:[\w.+-]+/)?(?:s?bin|share|lib\w*|include|src)/[\w.+@-]+(?:/[\w.+@-]+)*|/var/lib/(?!mysql|pgsql|postgres|php|mongo|redis)[\w.+-]+(?:/[\w.+@-]+)*"
    r"|/dev/(?:null|zero|u?random|std(?:in|out|err)|tty\w*|s[dr]\w+)|/home/[\w-]+/(?:[\w-][\w.-]*/)*[\w-][\w.-]*"
    r"|[a-z]:\\{1,2}Program Files(?: \(x86\))?\\{1,2}[^\\/:*?\"<>|]+(?:\\{1,2}[^\\/:*?\"<>|]+)*\.(?:exe|dll|bat|cmd))/?[\"'»“”]?(?:\s+-{1,2}[\w-]+)?\Z",
    re.I,
)
"""Programs, what belongs to packages, devices of no content, files in a home: what machines report all day."""
_TELLING = re.compile(r"passw|shadow|secret|\.(?:conf|cnf|ini|log|pl|php|pem|key|htpasswd|history)\b|/etc/|/logs?/|id_[dr]sa|(?:apache|xampp|mysql|nginx|php)[\w .-]*\\", re.I)


def judge_path(text: str) -> list[Finding]:
    """Points for steps upwards, for targets, for units that repeat."""
    points, why = 0, []
    ups = len(_UP.findall(text))
    if _ASSET.match(text) and not _TARGETS.search(text):
        return []
    if _ORDINARY.match(text) and not _TELLING.search(text):
        return []
    if _DEEP.search(text):
        points, why = (9 if ups > 3 or len(text.split()) < 5 else 4), ["several steps up"]
    elif ups and ("\\" in text or ups > 1 or text.startswith(("..", "/..", "\\..")) or "..;" in text):
        odd = "..\\" in text or "..;" in text or text.startswith(("/..", "\\.."))
        points, why = (6 if ups > 1 else 5 if odd else 3), ["steps up"]
    elif ups:
        points, why = 2, ["a step up"]
    if not points and text.startswith(("/...", "\\...", "/./", "/.\\")):
        points, why = 5, ["odd steps"]
    target = _TARGETS.search(text)
    if target:
        spaces = text.count(" ") + text.count("%20") + text.count("+")
        named = _UNPARTED.search(text) or _NAME.match(text) or _PLAIN_NAME.fullmatch(text)
        led = ((_is_led(text, target) or named) and not _SECRET.search(target.group())) or (len(text) <= NAMED_MAX and _QUOTED.match(text))
        start = target.start() < 60 and spaces < 8 and not led
        points += 8 if start else 2 if points and spaces > 16 else 3
        why.append("system file")
    repeated = _REPEAT.search(text) if "." in text or "%" in text or "\\" in text or "?" in text else None
    if repeated and _is_disguise(repeated.group(1), repeated.group()):
        points += 7
        why.append("disguised steps repeated")
    elif target and points < 5 and spaces <= 16 and _STEP.search(text):
        points += 3
        why.append("disguised step")
    if _FILLER.search(text):
        points += 5
        why.append("filler")
    if _RFI.match(text):
        points += 6
        why.append("file from elsewhere")
    elif text.endswith("\x00") or "\x00." in text or "%00" in text:
        points += 4
        why.append("null byte")
    return [Finding("path", points, " and ".join(why))] if points >= 3 else []


def _is_led(text: str, target: re.Match[str]) -> bool:
    """Whether words stand before a target, other than one command, or behind it."""
    lead, rest = (_BLANK.sub(" ", part) for part in (text[: target.start() + 1].lstrip(), text[target.end() :]))
    command = bool(_COMMAND.fullmatch(lead)) and " " not in rest.strip()
    return (" " in lead and not command and not text.startswith(_ROOTS)) or bool(_SPOKEN.match(rest))


_COMMAND = re.compile(r"[a-z]\w*\s+\S?")
_SPOKEN = re.compile(r"[^\s\\]*\s+(?:- )?[^\W\d_]{2,}[\s,.-]+[^\W\d_]{2,}(?!\\)")
_DOT_CODES = re.compile(r"\.|\?|0x2e|%(?:25)*(?:2e|c0|c1|e0|f0|f8|fc|n|u00|uff|%)|[\xc0\xc1\ufffd]", re.I)
_SLASH_CODES = re.compile(r"[/\\;]|0x(?:2f|5c)|%(?:25)*(?:2f|5c|c0|c1|e0|f0|f8|fc|u|b|%|\w%)|[25][fc]|[\xc0\xc1\ufffd]", re.I)


def _is_disguise(unit: str, whole: str) -> bool:
    """A unit that repeats and is made of dots, separators and their codes."""
    return (
        len(whole) >= 9
        and bool(_ENCODED.fullmatch(unit))
        and bool(_DOT_CODES.search(unit))
        and bool(_SLASH_CODES.search(unit))
    )
