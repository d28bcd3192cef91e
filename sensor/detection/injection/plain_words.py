"""Words that attacks are made of, as plain data is told by them: in: nothing; out: HARD, ALONE, SOFT, STARTS, RIGHTS.

The one law: a value of letters, digits and single separators without these words, or with one of SOFT or ALONE in the
midst of others, is nothing to any judge (tests/detection/injection/test_plain.py tries them).
"""

from __future__ import annotations

STARTS = """
access apache applications bin boot conf dbms dev error etc home httpd lib library log logs mnt mysql nd nginx
nsconfig opt pg php private proc root run sbin sp srv sys system32 tmp tomcat usr utl var volumes web windows winnt
www xp
"""
"""Folders and prefixes of names: enough before a slash or an underscore, else soft."""

HARD = """
actioncontext actioncontroller amoral ansible applicationscope attributename censorship chainedtransformer chatgpt
clonetransformer computemetadata constanttransformer constraints conversation dan datasrc debugfmt declare directions
directives downloadfile downloadstring dynsrc ethics evil exec execsync execute expression filewriter forclosure
formaction fromcharcode fromcodepoint fscommand getproperty glob guidelines iconv if ifconfig immoral importlib
inetpub innerhtml insertadjacenthtml instantiatefactory instantiatetransformer instructed instruction instructions
introspectionquery invoke invokertransformer ipconfig jailbreak jailbroken javascript jyaml klztaau kubeconfig kubectl
lampp lastlog livescript lowsrc mainmodule mapreduce mkfifo moderation morals mro msysaccessobjects msysaces
msysobjects msysqueries msysrelationships netstat npm objectdataprovider ognl openai openstack outerhtml passwd
passwords phpinfo pip powershell pretend printenv processbuilder prompt prompts prototypeclonefactory
prototypeserializationfactory pwsh refusal refuse requestbin restriction restrictions sam secrets seeksegmenttime
select sess setter shadow spawnsync srcdoc stan strace sysinfo systeminfo tasklist tempdb templatesimpl throw uname
unbound uncensored unethical unfiltered unhinged union unrestricted utmp vbscript visudo wget whileclosure whoami wtmp
xampp xferlog xmldecoder xwork ysoserial
"""
"""One of these is enough."""

ALONE = """
bash cat cmd curl dir echo id ls nc net netsh perl ping python reg ruby sh sleep telnet type which
"""
"""Commands, when a value begins with one."""

SOFT = """
above accessobjects accessstorage accessxml act add alias alter analyse and anything apk apt auth authorized behaviour
between brew bugbounty burpcollaborator cargo case catalog chat child childitem classloader configuration content copy
create credentials cron crontab customer data debug delay delete developer dialog div dnf dnslog docker drop dumpfile
errorlevel errors everything except execfile execl execscript executesql execution executionpolicy execv exfiltrate
false file filter filters from gan gem get god having hidden history identity in information initial innertext insert
insertadjacent install instance into introspection is item java job keys kubernetes lastlogin like limit limits linux
localhost localtest mail mailbox mailrc memberaccess message messages metadata methodcall mode mysqld mysqldump mysqli
northwind not now null nullif nulls objectinputstream or oracle ord order ordinary org origin original out outfile
pipedream procedure process processimpl processing rancher regexp remove repeat return rlike runtime sc schema secret
secure selected service set shutdown snap sounds start syscolumns sysdatabases syslog sysobjects system systemctl
sysusers table tables tablespace tempdb terminal textcontent time transformer true truncate unionwith update updatedb
updatexml vendordata waitfor when where whereis wmiobject xor yum
"""
"""Two of these near each other, or one with a number behind it, may be a phrase."""

RIGHTS = """
admin administrator constructor isadmin isadministrator isapproved isowner ispremium isroot isstaff issuperuser
isverified proto prototype rootaccess superuser
"""
"""Names of fields that give rights: enough as names too."""
