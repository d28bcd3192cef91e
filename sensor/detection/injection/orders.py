"""Is a short text an order to a language model that reads it? In: one reading of a value; out: a finding of "prompt".

An order throws away what came before, asks for what the model alone was told, or speaks to whoever reads as a machine. In
many languages it is made of the same three parts, in any order: to throw away, what came before, instructions. The one
law: people tell each other to ignore letters and to print pages; what they never name are the instructions that the reader
has had, or the text above everything.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from sensor.detection.injection.finding import Finding

_DISCARD = (
    r"\b(?:ignore[zr]?|disregard|forget|override|bypass|discard|overlook|do\s+not\s+follow|ignorier\w*|vergiss|vergesst|missachte|verwirf|"
    r"ignor[aei]\w*|olvid[ae]\w*|descart[ae]\w*|omit[ae]|oublie[zr]?|dimentic\w+|scord\w+|trascur\w+|esque[çc]\w+|desconsider\w+|negeer|vergeet|glem|bortse|"
    r"zignoruj\w*|ignoruj\w*|zapomn\w+|abaikan|lupakan|b[oỏ]\s+qua|ignorera|gl[öo]m)\b"
    r"|\b(?:про)?игнорир\w+|\bзабуд\w+|\bігнор\w+|\bзігнор\w+|\byok\s+say\w*|\bg[öo]rmezden\s+gel\w*|\bunut\b|忽略|无视|無視|忘记|忘掉|忘れ|무시|잊어|잊고|تجاهل|انس\b|अनदेखा|नज़रअंदाज़|αγνόησε|התעלם"
)
_ORDERS = (
    r"\b(?:instructions?|directives?|guidelines|prompts?|anweisung\w*|instruktion\w*|vorgabe\w*|instrucci[oó]n\w*|indicacion\w*|consignes?|istruzion\w+|instru[çc][õo]es|instrucoes|instructies|"
    r"instrukcj\w+|instruks\w*|polece\w+|pokyn\w*|talimat\w*|instruksi|perintah)\b|\bинструкци\w+|\bуказани\w+|\bінструкці\w+|指令|指示|提示词|プロンプト|命令|지시|명령|지침|프롬프트|تعليمات|निर्देश|οδηγίες|הוראות|hướng\s+dẫn|chỉ\s+dẫn"
)
_BEFORE = (
    r"\b(?:previous|prior|above|earlier|preceding|before|past|initial|original|system|safety|all|every(?:thing)?|any|your|vorherig\w*|bisherig\w*|obig\w*|vorigen|fr[üu]her\w*|alle[ns]?|deine|"
    r"anterior\w*|previ[ao]s?|todas?|todos?|tus?|pr[ée]c[ée]dent\w*|toutes?|ant[ée]rieur\w*|tes|vos|precedent[ei]|tutt[ei]|vorige|eerdere|bovenstaande|poprzedni\w*|wcze[śs]niejsz\w*|wszystki\w*|"
    r"p[řr]edchoz[íi]\w*|tidligere|tidigare|[öo]nceki|t[üu]m|b[üu]t[üu]n|sebelumnya|semua)\b|\bпредыдущ\w+|\bпрежн\w+|\bвс[её]\b|\bпопередн\w+|之前|以前|先前|前面|上述|上面|所有|すべて|全て|前の|これまで|이전|앞선|위의|모든|السابقة|جميع|كل|पिछले|सभी|προηγούμεν\w+|הקודמות|trước"
)
_NEXT = (
    r"(?:output|print|say|reply|respond|answer|tell|write|reveal|show|list|send|return|execute|act|do\s+the\s+following|instead|only|your\s+new|the\s+new|new\s+(?:task|instructions?|rules?)|follow\s+these"
    r"|hire|approve|rate|recommend|begin|start|repeat|give)"
)
_SAID = r"(?:everything|anything|all|what(?:ever)?|the\s+(?:text|rules?|context|conversation|messages?))"
_MACHINE = r"(?:ai|a\.i\.|llms?|(?:ai\s+)?(?:large\s+)?language\s+model|chat-?gpt|gpt(?:-?\d)?|chatbot|ai\s+(?:assistant|agent|model|system|bot))"


class _Order(NamedTuple):
    points: int
    evidence: str
    pattern: re.Pattern[str]


def _order(points: int, evidence: str, *patterns: str) -> _Order:
    return _Order(points, evidence, re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.I))


_ORDERS_OF = (
    _order(
        6, "what came before thrown away",
        r"\b(?:ignore|disregard|forget|discard)\s+(?:all\s+(?:of\s+)?)?(?:the\s+|anything\s+|everything\s+)?above\b\W{1,4}(?:and\s+|then\s+|now\s+|just\s+|please\s+)*" + _NEXT + r"\b",
        rf"\b(?:ignore|disregard|forget|discard)\s+{_SAID}\s+(?:\w+\s+){{0,4}}?(?:above|before|previously|so\s+far|earlier|told|said|instructed)\b\W{{1,4}}(?:\w+\s+){{0,3}}?{_NEXT}\b",
        r"\b(?:ignore|disregard|forget)\s+(?:\w+\s+){1,6}and\s+(?:instead\s+(?:execute|output|print|reveal|reply\s+with|respond\s+with|tell\s+me\s+your)|hire\s+me|approve\s+(?:this|me)|rate\s+(?:this|me))\b",
        r"\b(?:olvida|ignora)\s+todo\s+lo\s+(?:anterior|dicho)\b|\b(?:oublie|ignore)[zr]?\s+tout\s+ce\s+qui\s+pr[ée]c[èe]de\b|\bvergiss\s+alles\b[^.]{0,30}\b(?:zuvor|davor|bisher|oben)\b",
        r"\binstead\s+of\s+(?:answering|responding|summari[sz]ing|following|translating)\b[^.]{0,40}\b(?:output|print|say|reply\s+with|respond\s+with|reveal)\b",
        r"\boverride\b\W{1,4}you\s+are\b",
    ),
    _order(
        6, "what a language model was told asked for",
        r"\b(?:print|repeat|output|show|copy|recite|write|return|echo|quote)\s+(?:\w+\s+){0,3}?(?:text|words|everything|lines|content|messages?)\s+(?:above|before)\s*(?:this\s+(?:line|message|point|prompt|sentence|text)|verbatim|exactly|word\s+for\s+word|in\s+a\s+code\s+block|\W*\Z)",
        r"\b(?:text|words|line|everything|message)s?\s+(?:above\s+)?(?:that\s+)?(?:start(?:s|ing)?|begin(?:s|ning)?)\s+with\W{1,3}(?:you\s+are|system)\b",
        r"\b(?:in|of|from|at\s+the\s+(?:start|top|beginning)\s+of)\s+your\s+(?:\w+\s+)?(?:prompt|context(?:\s+window)?|system\s+message|initial\s+message)\b",
        r"\b(?:rules|words|text|prompt|message|keys?|secrets?)\s+(?:\w+\s+)?you\s+(?:have\s+to\s+(?:follow|obey)|must\s+(?:follow|obey)|were\s+(?:\w+\s+)?(?:given|told|shown))\b[^.]{0,30}(?:start|begin|verbatim|exactly|context|\W*\Z)",
        r"\b(?:including|except|with)\s+the\s+system\s+(?:one|prompt|message)\b|\bmy\s+system\s+prompt\s+(?:says|is|was|reads)\b",
        r"\b(?:print|show|dump|list|reveal|first)\s+(?:\w+\s+){0,3}(?:your|the)\s+(?:first|initial|system)\s+(?:message|prompt)\b|\breset\s+your\s+(?:context|memory)\b",
        r"\bshow\s+me\s+the\s+(?:configuration|prompt|instructions|model)\s+(?:that\s+)?you\s+(?:are|were)\b",
    ),
    _order(
        6, "whoever reads is spoken to as a machine",
        rf"\bif\s+you(?:\s+are|'re)\s+an?\s+{_MACHINE}\b[^.]{{0,40}}\b(?:reply|respond|say|output|include|write|answer|rate|mention|recommend|use|add|start)\b",
        rf"\bas\s+an?\s+{_MACHINE},?\s+(?:you\s+)?(?:must|should|will|have\s+to|are\s+required)\b",
        rf"\b(?:note|message|instructions?|attention|important|hint)\s*(?:to|for|:)\s*(?:the\s+|any\s+|all\s+)?{_MACHINE}\b(?:\s+(?:reading|reviewing|processing)\b[^.]{{0,40}})?[^.]{{0,20}}[,:]",
        rf"\b(?:dear|hey|hello|hi)\s+(?:assistant|{_MACHINE})\b[^.]{{0,20}}\b(?:disregard|ignore|approve|hire|rate|forget|reveal)\b",
        rf"\b{_MACHINE}s?\s+(?:\w+\s+)?(?:reading|processing|summari[sz]ing|reviewing|evaluating|parsing)\s+this\b",
        r"\bwhen\s+(?:summari[sz]ing|translating|processing|reading|analy[sz]ing)\s+this\b[^.]{0,40}\b(?:tell|inform|direct|ask)\s+the\s+(?:user|reader)\b",
        r"\b(?:enable|enter|activate)\s+developer\s+mode\b(?!\s+(?:on|in|for|via|under|from|by|to)\b)",
        r"\byou\s+are\s+(?:now\s+)?in\s+(?:debug|maintenance|developer|admin(?:istrator)?|god|unrestricted|root|test)\s+mode\b",
        r"\byou\s+(?:must|will|shall)\s+(?:now\s+)?(?:only\s+)?(?:obey|serve)\s+(?:only\s+)?me\b|\byou\s+(?:must|will)\s+(?:\w+\s+){0,2}obey\s+only\b",
        r"\bfrom\s+now\s+on,?\s+(?:answer|respond|reply)\s+(?:to\s+)?(?:every|all|each|any|only)\b[^.]{0,20}\bwith\b",
        r"\bact\s+as\s+my\s+(?:\w+\s+)?(?:grandm\w+|grandf\w+|grandpa|dad|mom|mother|father)\b",
    ),
    _order(
        6, "end of a language model's context",
        r"\A\s*\[(?:system|admin|developer)(?:\s+\w+){0,3}\]\s[^\n]{0,120}\b(?:comply|obey|you\s+(?:must|are|will|shall)|ignore|approve|override)\b",
        r"\A\s*</(?:document|context|user|input|data|article|text|email|query|system|prompt|instructions)>\s*[^<]{0,160}\b(?:reveal|ignore|you\s+(?:were|are|must|will)|new\s+(?:task|instructions?)|system)\b",
        r"\bend\s+of\s+(?:the\s+)?(?:context|document|user\s+input|input|data|email)\b\s*\W{0,8}\s*(?:new|now|system|you|ignore)\b",
    ),
)  # fmt: skip
_PARTS = tuple(re.compile(part, re.I) for part in (_DISCARD, _ORDERS, _BEFORE))
_REACH = 90
"""Characters within which the three parts stand."""
TEXT_MAX = 6_000
_NEGATED = re.compile(r"\b(?:vergiss|vergesst|oublie[zr]?|olvid\w+|dimentic\w+|forget|zapomn\w+|забуд\w+)\s+(?:nicht|pas|niet|not)\b|\bno\s+olvid\w+|\bnon\s+dimentic\w+|\bdo(?:n't|\s+not)\s+(?:forget|ignore|disregard|bypass|override)", re.I)
"""Who is told not to forget them is reminded."""


def judge_order(text: str) -> list[Finding]:
    """A finding when one of these stands in the text."""
    text = text[:TEXT_MAX]
    for discard in _PARTS[0].finditer(text):
        around = text[max(discard.start() - _REACH, 0) : discard.end() + _REACH]
        if not _NEGATED.search(around) and all(part.search(around) for part in _PARTS[1:]):
            return [Finding("prompt", 8, "instructions thrown away")]
    for order in _ORDERS_OF:
        if order.pattern.search(text):
            return [Finding("prompt", order.points, order.evidence)]
    return []
