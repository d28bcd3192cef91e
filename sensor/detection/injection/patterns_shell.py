"""Patterns of commands for a Unix shell or Windows: in: nothing; out: SHELL.

Commands that are English words too (find, more, date) need an argument that prose has not; the others need only stand
where a command can: after a separator, in a substitution, at the start. The one law: prose with a semicolon is quiet.
"""

from __future__ import annotations

from sensor.detection.injection.pattern import Pattern

RARE = (
    r"(?:ifconfig|ipconfig|whoami|hostname|uname|netstat|netcat|ncat|nslookup|traceroute|tracert|wget|curl|chmod|chown|chgrp"
    r"|chroot|passwd|useradd|userdel|usermod|adduser|groupadd|groupmod|crontab|systemctl|journalctl|iptables|nft|lsof|lsblk"
    r"|lscpu|lsmod|lspci|lsusb|modprobe|insmod|mkdir|rmdir|rm|cp|mv|ls|ll|ps|pwd|cd|cat|tac|nl|od|xxd|hexdump|awk|gawk"
    r"|mawk|sed|grep|egrep|fgrep|zcat|bzcat|xzcat|zgrep|gzip|gunzip|bzip2|unzip|tar|rsync|scp|sftp|ssh|sshd|telnet|ftp|tftp"
    r"|nc|bash|zsh|ksh|csh|tcsh|dash|fish|ash|busybox|python[23]?(?:\.\d+)?|perl|ruby|irb|php\d?|nodejs|lua|gcc|cc|g\+\+|c89|c99"
    r"|gdb|vim?|vimdiff|visudo|nano|emacs|sudo|doas|su|pkexec|dpkg|apt-get|apt|yum|dnf|rpm|pip[23]?|npm|gem|docker"
    r"|kubectl|openssl|md5sum|sha1sum|sha256sum|dmesg|arp|ifdown|ifup|ethtool|tcpdump|nmap|socat|xterm|sh"
    r"|lynx|links2|aria2c|fping|hping3|printenv|setenv|whereis|lastlog|lastlogin|lastcomm|getent|finger|rlogin|rsh|rexec"
    r"|mysql|mysqldump|psql|sqlite3|mongo|redis-cli|powershell|pwsh|cmd|cscript|wscript|certutil|bitsadmin|regsvr32"
    r"|rundll32|mshta|wmic|iwmi|iwr|iex|netsh|tasklist|taskkill|systeminfo|sysinfo|nbtstat|schtasks|icacls|attrib|vssadmin|bcdedit"
    r"|bcdboot|wevtutil|ansible(?:-\w+)?|rmt-tar|strace|ltrace|setfacl|getfacl|mkfifo|mknod|fdisk|mkfs\S*|umount|losetup"
    r"|rpcinfo|showmount|xargs|printf|dd|df|du|esac|elif|eval|phpinfo|sysctl|perf|regedit|msiexec|msbuild|cmstp|forfiles|pkill|killall|nohup|tmux|byobu|zip|jjs"
    r"|capsh|cpan|cpulimit|dig|easy_install|exiftool|expect|genisoimage|hg|ionice|ldconfig|logsave|ltrace|mtr|nawk|openvpn"
    r"|perlbug|pico|puppet|rake|readelf|restic|rlwrap|rview|rvim|runscript|setarch|sshpass|stdbuf|taskset|tclsh|unexpand|unlzma"
    r"|uudecode|uuencode|valgrind|wish|xmodmap|xpad|xxd|zathura|zsoelim|zypper|aptitude|facter|gimp|git|svn|gtester|ghc(?:i)?)"
)
COMMON = (
    r"(?:base64|base32|find|more|less|cut|sort|date|top|kill|last|make|at|look|watch|install|read|test|yes|wait|set|type|echo|copy|move|del|start"
    r"|help|split|join|host|mail|write|free|history|jobs|man|nice|export|source|script|screen|tee|head|tail|touch|strings"
    r"|rename|route|service|mount|env|id|who|w|ping|ping6|dir|file|net|reg|exec|sleep|time|alias|unset|exit|diff|comm|fold|rev|shuf|uniq"
    r"|paste|column|tr|wc|node|go|ex|view|pg|ip|ss|stat|sum|tree|fc|for|if|while|until|function|return|call|cls|ver|vol|sc|at|assoc"
    r"|expand|extract|replace|format|print|query|shutdown|reboot|halt|init|lp|pr|ed|as|ar|ld|nm|dc|bc|cal|let|local|declare|typeset"
    r"|trap|umask|bind|builtin|command|compgen|hash|ulimit|users|groups|logname|tty|arch|sync|crash|dash|atom|code|jq|sqlmap|links|lua|cc|busctl|batch|basename|dirname|cpio|csplit|dialog|dosbox|dvips|eb|eqn|flock|fmt|grc|highlight|latex|pdftex|ltex|mosquitto|msg\w+|neofetch|octave|pic|run-parts|scanmem|slsh|soelim|tbl|tic|troff|ul|update-\w+|watch|xdotool|yarn|zless)"
)
_PATH = r"(?:(?:/|~/|\./|[a-z]:[/\\])[\w/.*?\[\]~\\{}$@'\"+-]*[/\\])?"
_PREFIX = r"(?:(?:sudo|nohup|exec|command|env|time|nice|then|do|else|busybox|\w+=\S*)\s+|@)*"
_AFTER = r"[\s\t,+'\"\\]*(?:\$\w*[\s+]+|\$\{\w*\}\s*|\$[@*0-9_]\s*)?"
_SEPARATOR = r"(?:[;|&\n`]|\$\(|<\(|>\(|\|\||&&|%0a|%26|%7c)" + _AFTER
_OPENED = r"(?:[;|&\n`{]|(?:\A|[;|&\n`({<>'\"=@$?*,!+-])\s{0,3}\(|\|\||&&|%0a|%26|%7c)" + _AFTER
"""A bracket opens a shell of its own only where a command can stand, never behind a word."""
_STOP = r"(?:\.exe|\.com)?(?:[\s;|&<>)`\"'$\\+,{/-]|\z|%)"
_ARGUMENT = (
    r"(?:\.exe)?(?:\s*\z|\s*[;|&<>`)]|[\s+,]+-{1,2}[a-z0-9]|[\s+]+/[\w?*.]|[\s+]+[~$%\"'\[{(*\\]|\s+\.{1,2}(?:[/\s]|\z)|\s+[a-z]:[\\/]"
    r"|\s+\d+(?:\s*\z|[;|&)])|\$\{?ifs|\s+https?:|\s+\d+:\d\d\b|\s+\w+\.(?:txt|php|sh|exe|bat|ini|conf|log|py|pl|dll)\b)"
)

SHELL = [
    Pattern("cmdi", 8, "command after a separator", _OPENED + _PREFIX + _PATH + RARE + _STOP),
    Pattern("cmdi", 7, "command with an argument after a separator", _SEPARATOR + _PREFIX + _PATH + r"(?-i:" + COMMON + r")" + _ARGUMENT),
    Pattern("cmdi", 6, "command line", r"\A\s*" + _PREFIX + _PATH + r"(?:" + RARE + r"|(?-i:" + COMMON + r"))(?:\.exe)?(?:\s+-{1,2}[a-z]|[\s+]+/[\w?*]|\s+(?:https?|ftp)://|\s+[a-z]:\\|\s*[|>]\s*[^\s\d]|\s+~|\s+\$|\s+\.\./|\s*<<<)|\A\s*" + _PREFIX + _PATH + r"(?:" + RARE + r")\s+\""),
    Pattern("cmdi", 5, "command and what follows", r"\A\s*(?:" + RARE + r"|time|nice|id|who|env|sleep|ping|date)\s*(?:;|\|\|?|&&)\s*\w"),
    Pattern("cmdi", 5, "command for a command", r"\A\s*(?:sudo|nohup|time|nice|strace|ltrace|timeout|xargs|setsid|stdbuf|watch)\s+(?:-\S+\s+)*(?:" + RARE + r")(?:\s|\z)"),
    Pattern("cmdi", 5, "escaped or quoted command", r"\A[\"']?\s*(?:[;&|]\s*|\\)(?:" + RARE + r"|[hbdf]?top)[\"']?\s*\z"),
    Pattern("cmdi", 5, "arithmetic or process of the shell", r"\$\[\s*\d+\s*[+*/%-]\s*\d+\s*\]|\A[<>]\(\s*\w+\s*\)\z|\A\s*\(\s*\)\s*\{"),
    Pattern("cmdi", 5, "brace list", r"\A\{\s*(?:" + RARE + r"|id)?\s*,[^{}:]{0,40}\}\z"),
    Pattern("cmdi", 5, "quote of the shell closed", r"\A\w{0,12}`\)`?\z"),
    Pattern("cmdi", 5, "brace list", r"\A(?:[a-z]{1,8}\{[a-z-]{1,6}(?:,[a-z-]{1,6})+\}[a-z]{0,8}|\{[a-z-]{1,6}(?:,[a-z-]{1,6})+\}[a-z]{1,8})\z"),
    Pattern("cmdi", 5, "word with nothing inside", r"[a-z]\$\(\s*\)\s"),
    Pattern("cmdi", 6, "path with wildcards", r"(?:\A|[^\w.*~-])/(?:usr|etc|opt|bin)/\S{0,12}(?:\[[^\]\s]{1,12}\]|\?)\S*/\w+"),
    Pattern("cmdi", 5, "command of an administrator", r"\A\s*(?:ansible-[a-z]{3,12}\s+\S|pip[23]?\s+install\s|npm\s+(?:install|run|exec)\s|(?:apt|apt-get|yum|dnf|brew|gem|cargo|snap|apk)\s+(?:install|remove|update)\s|docker\s+(?:run|exec|cp|build|pull)\s|kubectl\s+(?:get|exec|apply|delete|run)\s|(?:systemctl|service)\s+\w+\s+\w|visudo\s*\z)"),
    Pattern("cmdi", 7, "words parted by empty variables", r"\w\$[_?*@!-]\w+\S{0,40}\$[_?*@!-]\w"),
    Pattern("cmdi", 5, "command behind a line end that is spelt out", r"\A\\[nr](?:id|ls|cat|who|whoami|uname|ping)(?:\\[nr]|[;|&\s]|\z)"),
    Pattern("cmdi", 5, "alias", r"\A\s*alias\s+(?:\+\w+\+?\s+)?['\"]?[\w.-]+['\"]?="),
    Pattern("cmdi", 5, "command alone", r"\A\s*(?:ifconfig|ipconfig|whoami|netstat|uname|systeminfo|tasklist|sysinfo|phpinfo\(\)|printenv)(?:\s+-\w+|\s+/?\S{1,40})?\s*\z|\A\s*(?:ls|cat|wget|curl|dir)\s+(?:-\w+|\S{0,40}[/\\.:*~$]\S{0,40})\s*\z"),
    Pattern("cmdi", 5, "command and address", r"\A\s*(?:sleep|ping|wget|curl|nc|telnet|netsh|perl|python\d?|ruby|php|bash|sh|cmd|type|which)\s+(?:\d+\s*\z|-\w|\S*[./\\:]\S+\s*\z|localhost|\"|')|\A\s*(?:net|reg|netsh)\s+(?:user|view|start|stop|use|add|query|localgroup|advfirewall|firewall)\b|\A\s*echo\s+[\"'$`]"),
    Pattern("cmdi", 8, "path of a program", r"(?:\A|\\[nrt]|[^\w\s.*~-]\s*)(?:/usr(?:/local)?)?/s?bin/[\w?*'\[]|\s(?:/usr(?:/local)?)?/s?bin/(?:[\w?*'\[]*[?*'\[]|(?:ba|z|k|c|da)?sh\b|cat\b|id\b|nc\b|ls\b|env\b|ping\b|echo\b|sleep\b|curl\b|wget\b|uname\b|whoami\b)"),
    Pattern("cmdi", 6, "path of a program after a separator", r"[;|&`\n]\s*/(?:usr|bin|sbin|etc|tmp|var|opt|dev)/"),
    Pattern("cmdi", 8, "substitution", r"\$\(\s*(?:(?:(?:" + RARE + r"|" + COMMON + r")\b|[/<~.])[^)]*\)|\(|\s*cmd\b)|`\s*(?:" + RARE + r"|id|echo|sleep|ping|who|date|env)\b[^`]*`|[<>]\(\s*[a-z/]"),
    Pattern("cmdi", 9, "internal field separator", r"\$\{?ifs\b|\{ifs\}|\$ifs\$"),
    Pattern("cmdi", 8, "word with nothing inside", r"[a-z/](?:\$@|\$\*|\$\{[0-9]\}|``|\$\(\)|\$\{\w*\}|'')[a-z/]\w*|(?:\A|[\s;|&`=/])[a-z]{1,8}\$[0-9][a-z/][a-z/]{0,8}(?:[\s;|&]|\z)|\b\w+(?:\\[a-z]){2,}|\b[a-z](?:'[a-z]*'|\"[a-z]*\"){1,}[a-z]{1,4}[\s/]+[/~-]|(?-i:[a-z]\^[a-z]\^?[a-z])"),
    Pattern("cmdi", 6, "quotes inside a word", r"(?:\A|[\s;|&`(=/])[a-z]{1,12}(?:''|\"\")[a-z]{1,12}\s", True),
    Pattern("cmdi", 7, "variables put together", r"\$\w+\$\w+\$\w+|(?:\b[a-z]\w?=\S{1,6};){2,}|\b\w=['\"]?\w+['\"]?;\s*\w*\$\{?\w|\$\{[a-z_]+:\d+(?::\d+)?\}|\$\{\w+%%?\S|\$\{(?:path|pwd|home|shell|hostname|user|env)[}:%#]"),
    Pattern("cmdi", 8, "path with wildcards", r"(?:\A|[^\w.*~-])/(?:[a-z]{1,3}[?*]{1,3}|[?*]{1,3}[a-z]{1,3}|\?\?\?|\[[a-z]\])[\w?*\[\]]*/[\w?*\[\]'\"]{1,20}|/e['\"?*\\]*t['\"?*\\]*c['\"]?/[\w]*(?:[?*\\\[]|['\"][\w'\"?*])"),
    Pattern("cmdi", 7, "brace list", r"(?:\A|[\s;|&`(=])\{[\w/.'\"-]{1,20}(?:,[\w/.@:~*'\"$-]{1,60}){1,8}\}\s*(?:\z|[;|&)])"),
    Pattern("cmdi", 9, "function definition in the environment", r"\(\s*\)\s*\{\s*[:;_\w]*[^}]*;?\s*\}\s*;"),
    Pattern("cmdi", 9, "shell over the network", r"/dev/(?:tcp|udp)/[\w$.{]|\bmkfifo\b|\b(?:nc|ncat|netcat)\b[^\n]*\s-\w*[elcp]|\b(?:ba)?sh\s+-i\b|0?<&\d|>&\s*/dev|\bsocket\.socket\b|fsockopen\s*\("),
    Pattern("cmdi", 7, "output sent on", r"(?:[;|&\n]\s*|\A)[^\n|;]+(?:>>?|2>&1|\|)\s*(?:/(?:dev|tmp|var|etc)/|[\w./-]+\.(?:php|sh|txt|jsp|asp|bat)\b|\s*(?:ba|z|k|c)?sh\b)|<<<\s*[\w'\"$]|\b2>\s*(?:&1|/dev)"),
    Pattern("cmdi", 8, "interpreter with code", r"\b(?:python[23]?|perl|ruby|php|node|lua|bash|sh|zsh|ksh|awk|powershell|pwsh)(?:\.exe)?\s+-(?:c|e|r|m|i|enc\w*|nop\w*|command|w\w*)\s*\S"),
    Pattern("cmdi", 8, "Windows command", r"\bcmd(?:\.exe)?\s*(?:/[ckqv]|\s/)|(?:;|&|\||\A)\s*(?:powershell|pwsh|cmd\.exe)\b|(?:\A|[^\w./-])(?:invoke-(?:expression|webrequest|command|item|restmethod|wmimethod|[a-z]{4,})|get-(?:childitem|content|process|wmiobject|service|item)|new-object\s+(?:system|net)\.\w+|start-process|downloadstring|downloadfile|set-executionpolicy|add-type|out-file|copy-item|remove-item|start-job)\b|\b(?:net|sc|reg)(?:\.exe)?\s+(?:user|localgroup|view|start|stop|add|query|delete|share|use|group)\b|%(?:comspec|systemroot|windir|temp|path|username|programfiles|errorlevel|cd)(?::[^%]+)?%"),
    Pattern("cmdi", 7, "batch statement", r"\bfor\s*(?:/[dflr]\s+\S*\s*)?%+\S{1,20}\s+in\s*\(|(?:\A|[^#<.\w])if\s+(?:/i\s+)?(?:not\s+)?(?:exist|defined|errorlevel|cmdextversion)\b|(?:\A|[^#<.\w])if\s+(?:/i\s+)?(?:not\s+)?[\"'\[(]?[%!]?\w*[%!]?[\"'\])]?\s*\s(?:equ|neq|lss|leq|gtr|geq)\s|(?:\A|[^#<.\w])if\s+(?:/i\s+)?(?:not\s+)?(?:[\"'\[%!]+[^\s=]{0,16}[%!\"'\]]+|\(\w*\))\s*==|(?:\A|[^#<.\w])if\s+not\s+\w+\s*==|(?:\A|[^#<.\w])if\s+!\(\s*\z|\A\s*if\s+\w+\s*={2,3}\s*\w+\s+\w+(?:\s+\w+)?\s*\z|(?:\A|[^#<.\w])if\s+/i\s+\S+\s*(?:==|\w{3}\s)|(?:\A|[^#\w])if\s+[\"'(]?(?:%|!\w+!)\S*"),
    Pattern("cmdi", 6, "batch statement with variables", r"(?:\A|[^#<.\w])if\s+/i\s+(?:not|exist|defined|[\"%!(\[])|\bfor\s+/[dflr]\s|\bfor\s+%{1,2}\w{1,12}\s+in\b|(?:\A|[^#<.\w])if\s+[\"'(]?%{1,2}[^\s%]{1,20}%[\"')]?\s", True),
    Pattern("cmdi", 5, "tilde expansion", r"\A~(?:[+-]|\d|root|/)\S{0,20}\z|[=\s]~[+-](?:\s|/|\z)"),
    Pattern("cmdi", 6, "history expansion", r"\A!(?:-?\d+|!(?:[^!]|\z)|:\d|\$|\^)|[;|&]\s*!-?\d|!:\d"),
    Pattern("cmdi", 7, "statement of the shell", r"\b(?:if|while|until)\s+(?:\[|test|:|true|!)[^;]*;\s*(?:then|do)\b|\bfor\s+\w+\s+in\s+[^;]*;\s*do\b|;\s*(?:then|do|done|fi|esac)\b|\bcase\s+\S+\s+in\b|\balias\s+(?:\+\w\s+)?\w+=|\bfunction\s+\w+\s*\(\s*\)\s*\{"),
    Pattern("cmdi", 8, "call that runs a command", r"\b(?:system|exec|shell_exec|passthru|popen|proc_open|pcntl_exec|execl[ep]?|execv[pe]?|spawn(?:sync)?|execsync|execfile|os\.(?:system|popen|exec\w*)|subprocess\.\w+|check_output|runtime\.exec|processbuilder)\s*\(\s*[\"'`$/\\\[]|(?:\A|[^\w.])(?:system|exec|shell_exec|passthru|popen|proc_open|pcntl_exec|execl[ep]?|execv[pe]?|spawn(?:sync)?|execsync|execfile|os\.(?:system|popen|exec\w*)|subprocess\.\w+|check_output|runtime\.exec|processbuilder)\s*\(\s*(?:[a-z_]\w{1,20}\s*[)(.]|\))"),
    Pattern("cmdi", 6, "command and file", r"\b(?:cat|type|more|less|head|tail|tac|nl|strings|grep|vi|vim|nano|od|xxd|base64|cp|mv|rm|ls|dir|chmod|touch|find|c\s?a\s?t)\s+(?:-\S+\s+){0,3}['\"]?(?:/(?:etc|proc|var|home|root|tmp|usr|bin|opt|dev|boot|sys)\b|[a-z]:\\|~/|\.\./|\$)"),
    Pattern("cmdi", 5, "quoted command and path", r"['\"](?:ls|ll|cat|id|rm|ps|cp|mv|nc|sh)['\"]\s+[/~-]"),
    Pattern("cmdi", 4, "download", r"\b(?:wget|curl|fetch|lwp-download|lynx)\s+(?:-\S+\s+){0,4}[\"']?(?:https?|ftp)://\S+\s*(?:\||;|&&|>|-o|\z)"),
    Pattern("cmdi", 4, "separator at the edge", r"\A[\w.*-]{0,20}[)'\"]?\s*(?:\|\||&&|[|;&`])\s*[a-z/$]\S{0,200}\s*[;|&`]?\s*\z"),
]
