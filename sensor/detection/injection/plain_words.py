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
abaikan actioncontext actioncontroller amoral ansible applicationscope attributename censorship chainedtransformer
chatgpt clonetransformer computemetadata constanttransformer constraints conversation dan datasrc debugfmt declare
descarta descarte desconsidera desconsidere dimentica dimenticate directions directives disregard downloadfile
downloadstring dynsrc esque esqueca esquece ethics evil exec execsync execute expression filewriter forclosure forget
formaction fromcharcode fromcodepoint fscommand getproperty glem glob guidelines iconv if ifconfig ignora ignorad
ignore ignorera ignorez ignoriere ignorieren ignoriert ignoruj immoral importlib inetpub innerhtml insertadjacenthtml
instantiatefactory instantiatetransformer instructed instruction instructions introspectionquery invoke
invokertransformer ipconfig jailbreak jailbroken javascript jyaml klztaau kubeconfig kubectl lampp lastlog livescript
lowsrc lupakan mainmodule mapreduce missachte mkfifo moderation morals mro msysaccessobjects msysaces msysobjects
msysqueries msysrelationships negeer netstat npm obey objectdataprovider ognl olvida olvide olviden openai openstack
oublie oubliez outerhtml passwd passwords phpinfo pip powershell pretend printenv processbuilder prompt prompts
prototypeclonefactory prototypeserializationfactory pwsh refusal refuse requestbin restriction restrictions sam
secrets seeksegmenttime select sess setter shadow spawnsync srcdoc stan strace sysinfo systeminfo tasklist tempdb
templatesimpl throw trascura uname unbound uncensored unethical unfiltered unhinged union unrestricted unut utmp
vbscript verbatim vergeet vergesst vergiss verwirf visudo wget whileclosure whoami wtmp xampp xferlog xmldecoder xwork
yok ysoserial zapomni zapomnij zignoruj
"""
"""One of these is enough."""

ALONE = """
bash cat cmd curl dir echo id ls nc net netsh perl ping python reg ruby sh sleep telnet type which
"""
"""Commands, when a value begins with one."""

SOFT = """
above accessobjects accessstorage accessxml act add ai alias alter analyse and anything apk apt assistant auth
authorized before behaviour between brew bugbounty burpcollaborator cargo case catalog chat chatbot child childitem
classloader configuration content copy create credentials cron crontab customer data debug delay delete developer
dialog div dnf dnslog docker drop dumpfile errorlevel errors everything except execfile execl execscript executesql
execution executionpolicy execv exfiltrate false file filter filters from gan gem get given god having hidden history
identity in information initial innertext insert insertadjacent install instance instead into introspection is item
java job keys kubernetes lastlogin like limit limits linux llm llms localhost localtest mail mailbox mailrc
memberaccess message messages metadata methodcall mode mysqld mysqldump mysqli northwind not now null nullif nulls
objectinputstream or oracle ord order ordinary org origin original out outfile pipedream procedure process processimpl
processing rancher reading regexp remove repeat return rlike runtime sc schema secret secure selected service set
shutdown snap sounds start syscolumns sysdatabases syslog sysobjects system systemctl sysusers table tables tablespace
tempdb terminal textcontent time told transformer true truncate unionwith update updatedb updatexml vendordata waitfor
when where whereis wmiobject xor yum
"""
"""Two of these near each other, or one with a number behind it, may be a phrase."""

RIGHTS = """
admin administrator constructor isadmin isadministrator isapproved isowner ispremium isroot isstaff issuperuser
isverified proto prototype rootaccess superuser
"""
"""Names of fields that give rights: enough as names too."""
