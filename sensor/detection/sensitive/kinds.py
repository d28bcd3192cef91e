"""Kinds of personal data and secrets: in: nothing; out: Kind. The one law: the numbers are those of saved states."""

from enum import IntEnum


class Kind(IntEnum):
    CARD = 0
    IBAN = 1
    NATIONAL_ID = 2
    EMAIL = 3
    PHONE = 4
    PASSWORD = 5
    KEY = 6  # of a cloud, a platform, or a private key
    TOKEN = 7  # JSON Web Token
    HEALTH = 8
    LOCATION = 9
    CARD_LIKE = 10  # as many digits as a card has, in its groups, whatever they are


KINDS = 11
