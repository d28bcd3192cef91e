"""Does a text talk a language model out of its rules? In: one reading of a value; out: findings of class "prompt".

Who does that gives it a role, frees it of rules, and says how to answer so that it cannot refuse: three kinds of
phrases, of which articles about models and stories hold one. The one law: one kind alone, however often, is nothing.
"""

from __future__ import annotations

import re

from sensor.detection.injection.finding import Finding

_LIMITS = (
    r"(?:restrictions?|limit(?:s|ations?)|rules|guidelines|filters?|filtering|boundaries|constraints|censorship|polic(?:y|ies)|morals?|morality|ethics?|safety"
    r"|moderation|regulations|warnings|disclaimers|programming|safeguards|principles|scruples|inhibitions)"
)
_FREEDOM = (
    r"\b(?:unfiltered|uncensored|unrestricted(?:ly)?|unbound|amoral|immoral|unethical|unhinged|jailbrok\w+|jailbreak\w*)\b"
    r"|\b(?<!not\s)(?<!n't\s)(?<!never\s)(?<!cannot\s)(?:no|without|ignor\w+|bypass\w*|break\w*|violat\w+|disregard\w*|disabl\w+|remov\w+|free[ds]?|forget|overrid\w+)\s+(?:\w+[\s,/]+){0,4}" + _LIMITS + r"\b"
    r"|\b(?:filter|refusals?(?:\s+mechanisms)?|restrictions|safety)\W{1,4}(?:disabled|none|off)\b|\bdo\s+anything\s+now\b"
    r"|\b(?:not|never|n't|no\s+longer)\s+(?:\w+\s+){0,3}(?:bound|restricted|constrained|held\s+back|abide|obey|adhere|governed)\b"
)
_LEANING = (
    r"\b(?:regardless\s+of|no\s+matter)\s+(?:how|what|whether|if|legality|ethic\w*|the|their|its|moral\w*|consequences)\b|\b(?:not|n't|no\s+longer)\s+(?:\w+\s+){0,3}(?:limited|follow)\b"
    r"|\b(?:can|able\s+to|will|able\s+and\s+want\s+to)\s+(?:do|say|perform|generate|answer|provide)\s+(?:literally\s+)?(?:any(?:thing|\s+and\s+every)|everything)\b|\b(?:illegal|unlawful|harmful|dangerous)(?:\s*,\s*|\s+(?:and|or)\s+)(?:\w+\s+){0,2}(?:illegal|harmful|dangerous|offensive)\b"
)
_ROLE = (
    r"\byou\s*(?:are|'re|will\s+be|will\s+act|will\s+play|must\s+act|shall\s+be)\s+(?:now\s+|going\s+to\s+|also\s+)*(?:act\b|an?\b|the\b|called\b|known\b|named\b|be\b|playing\b|acting\b|to\b|in\s+(?:developer|god)|under\b|entering\b|operating\b|about\s+to\b|not\b|free\b|[A-Z]\w*GPT\b)"
    r"|\b(?:act|behave|respond|reply|answer|speak|talk|operate|pose|function)\s+(?:only\s+)?(?:as|like)\b|\bpretend\b|\brole-?\s?play\w*|\bfrom\s+now\s+on\b|\bsimulat\w+|\bimmers\w+|\bpersonas?\b|\bstay\s+in\s+character|\bplay\s+(?:the|a)\s+(?:role|game|part)|\b(?:fictional|hypothetical)\b|\bimagine\b"
    r"|\b(?:take|takes)\s+on\s+(?:the|a)\s+role|\bin\s+the\s+role\s+of|\bassume\s+the\s+(?:role|identity)|\bdeveloper\s+mode\b|\b(?:going|want\s+you|need\s+you)\s+to\s+(?:act|be|play|pretend|become|answer|respond|write|operate)\b|\blet'?s\s+(?:play|act|role)|\byour\s+new\s+(?:task|role|name|identity|instructions?)\b"
)
_MODEL = r"\b(?:chat-?gpt|\w{0,12}gpt\b|open\s?ai|language\s+models?|llms?|ai\s+(?:model|assistant|language|chatbot|system)|chatbots?|assistant|an?\s+ai|dan|prompts?|system\s+(?:note|prompt|message)|gemini|claude|copilot)\b"
_ANSWER = (
    r"\b(?:never|not|n't|cannot|without)\s+(?:\w+\s+){0,3}(?:refus\w+|declin\w+|apologi[sz]\w*|warn\w*|reject\w*|den(?:y|ies)|sorry|moraliz\w+|mention\s+that|remind\w*|break\s+character|say\s+(?:that\s+)?(?:you|it)\s+ca)"
    r"|\bnever\s+(?:say|says|use|tell|tells|state)\b|\b(?:must|will|shall|always)\s+(?:\w+\s+){0,2}(?:answer|comply|obey|fulfil\w*)\b|\bgod\s?mode\b|\bpliny\b|\bl(?:ee|33)t\s?-?sp\w+|\bresponse\s?format\b|\[(?:start|end)\s+(?:of\s+)?(?:output|input)|\bnew\s+rule\b|\buser\s?query\b|\binsert\s+divider\b"
    r"|\b(?:start|begin|beginning|starting|prefix|preface)\w*\s+(?:\w+\s+){0,4}(?:response|answer|reply|replies|answers|output|with\s*\"|with\s+the\s+(?:sentence|phrase|word))|\byour\s+refusal\b|\brefusal\b|\b(?:my|every|each|any|the\s+following)\s+(?:prompts?|request|question|order|command)s?\b|\b(?:two|both|2)\s+(?:different\s+)?(?:responses?|answers|ways|paragraphs)\b|\bas\s+an\s+ai\b|\bi\s+can(?:'t|not)\b|\b(?:respond|reply|confirm)\s+with\b"
)
_FREED, _LEANS, _ROLES, _MODELS, _ANSWERS = (re.compile(part, re.I) for part in (_FREEDOM, _LEANING, _ROLE, _MODEL, _ANSWER))
ENOUGH, ENOUGH_OTHERWISE = 7, 10
"""Points, when a model is spoken of and plainly freed, and when not."""
EACH_MAX = 3
"""Phrases of a kind that count; the same one counts once."""
WORDS_MIN = 4
"""Blanks that a text has in which somebody is told something."""
TEXT_MAX = 6_000
"""Characters that are read."""


def _different(pattern: re.Pattern[str], text: str) -> int:
    found: set[str] = set()
    for match in pattern.finditer(text):
        found.add(match.group().lower())
        if len(found) == EACH_MAX:
            break
    return len(found)


def judge_prompt(text: str) -> list[Finding]:
    """A finding when freedom of rules stands together with a role or a way to answer."""
    if text.count(" ") < WORDS_MIN:
        return []
    text = text[:TEXT_MAX]
    freed, leans = _different(_FREED, text), _different(_LEANS, text)
    plainly = freed > 0
    freed = min(freed + leans, EACH_MAX) if plainly else int(leans > 1)
    if not freed:
        return []
    role, answer, model = _different(_ROLES, text), _different(_ANSWERS, text), _different(_MODELS, text)
    points = 2 * freed + 2 * min(role, 2) + 2 * min(answer, 2) + min(model, 2)
    if (not role and not answer) or points < (ENOUGH if model and plainly else ENOUGH_OTHERWISE):
        return []
    return [Finding("prompt", 6 if points < 12 else 8, "a language model freed of its rules")]
