"""Numbers with check digits: in: their digits, or where their characters lie; out: what they can be.

ISO/IEC 7812 (cards), ISO 13616 (IBAN), and the rules that each country publishes for its own. The one law: a number is
taken for one only when its length, its range and its check digits all say so.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel

_VERHOEFF_D = np.array(
    [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 0, 6, 7, 8, 9, 5, 2, 3, 4, 0, 1, 7, 8, 9, 5, 6, 3, 4, 0, 1, 2, 8, 9,
        5, 6, 7, 4, 0, 1, 2, 3, 9, 5, 6, 7, 8, 5, 9, 8, 7, 6, 0, 4, 3, 2, 1, 6, 5, 9, 8, 7, 1, 0, 4, 3, 2, 7, 6, 5, 9,
        8, 2, 1, 0, 4, 3, 8, 7, 6, 5, 9, 3, 2, 1, 0, 4, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0,
    ],
    np.int64,
)  # fmt: skip
_VERHOEFF_P = np.array(
    [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 5, 7, 6, 2, 8, 3, 0, 9, 4, 5, 8, 0, 3, 7, 9, 6, 1, 4, 2, 8, 9, 1, 6, 0, 4, 3,
        5, 2, 7, 9, 4, 5, 3, 1, 2, 6, 8, 7, 0, 4, 2, 8, 6, 5, 7, 3, 9, 0, 1, 2, 7, 9, 3, 8, 0, 6, 4, 1, 5, 7, 0, 4, 6,
        9, 1, 3, 2, 5, 8,
    ],
    np.int64,
)  # fmt: skip
SUMS_DIGITS = 18


def _sums() -> np.ndarray:
    """Numbers whose check digits are a weighted sum, one row each: count of digits, modulus, rule, what the sum is to
    leave, then the weight of each digit. Rule 0: the sum of all digits leaves that much. Rules 1 to 3 are of the sum S
    before the last digit, modulo m: it is S modulo 10; m - S modulo 10; 0 where S is below 2, else m - S.
    """
    rows = (
        (9, 11, 0, 0, (1, 4, 3, 7, 5, 8, 6, 9, 10)),                               # Australia, TFN
        (9, 11, 1, 0, (256, 128, 64, 32, 16, 8, 4, 2)),                            # Greece, AFM
        (9, 11, 3, 0, (9, 8, 7, 6, 5, 4, 3, 2)),                                   # Portugal, NIF
        (10, 11, 0, 0, (10, 9, 8, 7, 6, 5, 4, 3, 2, 1)),                           # United Kingdom, NHS
        (10, 11, 0, 0, (10, 1, 10, 1, 10, 1, 10, 1, 10, 1)),                       # Czechia and Slovakia, rodné číslo
        (10, 11, 0, 0, (3, 7, 9, 10, 5, 8, 4, 2, 1, 6)),                           # Austria, social security
        (11, 11, 0, 0, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)),                         # Argentina, CUIT and CUIL
        (11, 97, 0, 0, (81, 76, 27, 90, 9, 30, 3, 10, 1, 10, 1)),                  # Belgium, born before 2000
        (11, 97, 0, 29, (81, 76, 27, 90, 9, 30, 3, 10, 1, 10, 1)),                 # Belgium, born since
        (11, 10, 0, 0, (7, 9, 7, 9, 7, 9, 7, 9, 7, 9, 0)),                         # Turkey, first check digit
        (11, 11, 1, 0, (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)),                            # Estonia and Lithuania
        (11, 11, 0, 0, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1, 0)),                         # Norway, first check digit
        (12, 11, 3, 0, (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)),                         # Japan, My Number
        (13, 11, 0, 0, (7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)),                   # former Yugoslavia, JMBG
        (13, 11, 1, 0, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)),                      # Romania, CNP
        (13, 11, 2, 0, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)),                      # Korea, RRN
        (13, 10, 0, 0, (1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1)),                   # Switzerland, AHV
        (18, 11, 0, 1, (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2, 1)),  # China
    )
    table = np.zeros((len(rows), 4 + SUMS_DIGITS), np.int64)
    for row, (count, modulus, rule, rest, weights) in zip(table, rows, strict=True):
        row[:4], row[4 : 4 + len(weights)] = (count, modulus, rule, rest), weights
    return table.reshape(-1)


_SUMS = _sums()
_DNI_LETTERS = np.frombuffer(b"TRWAGMYFPDXBNJZSQVHLCKE", np.uint8)


def _iban_lengths() -> np.ndarray:
    """Length by country, 26 * first letter + second (the registry of ISO 13616)."""
    lengths = (
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 "
        "FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 "
        "LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SD18 "
        "SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20"
    )
    table = np.zeros(26 * 26, np.int64)
    for entry in lengths.split():
        table[(ord(entry[0]) - 65) * 26 + ord(entry[1]) - 65] = int(entry[2:])
    return table


_IBAN_LENGTHS = _iban_lengths()


@inline_kernel
def _number(digits, start, count):
    """The number that `count` digits from `start` on are."""
    number = 0
    for i in range(count):
        number = number * 10 + np.int64(digits[start + i])
    return number


@inline_kernel
def luhn(digits, count):
    """Whether the check digit of ISO/IEC 7812 is right."""
    total = 0
    for i in range(count):
        digit = np.int64(digits[count - 1 - i])
        if i & 1 != 0:
            digit = 2 * digit - 9 if digit > 4 else 2 * digit
        total += digit
    return total % 10 == 0


@part_kernel
def is_card(digits, count):
    """Whether an issuer has given out numbers of this beginning and length, and the check digit is right."""
    if count < 13 or count > 19:
        return False
    two, three, four, six = _number(digits, 0, 2), _number(digits, 0, 3), _number(digits, 0, 4), _number(digits, 0, 6)
    known = False
    if digits[0] == 4:
        known = count == 16 or count == 19  # thirteen digits were given out long ago; today they are article numbers
    elif 51 <= two <= 55 or 2221 <= four <= 2720:
        known = count == 16
    elif two == 34 or two == 37:
        known = count == 15
    elif 300 <= three <= 305 or two == 36 or two == 38 or two == 39:
        known = 14 <= count <= 19
    elif (
        four == 6011
        or 644 <= three <= 649
        or two == 65
        or 622126 <= six <= 622925
        or two == 62
        or 3528 <= four <= 3589
        or 2200 <= four <= 2204
        or two == 81
        or two == 50
        or 56 <= two <= 58
        or two == 60
        or two == 67
    ):
        known = 16 <= count <= 19
    return known and luhn(digits, count)


@inline_kernel
def _same(digits, count):
    """Whether all digits are alike: a placeholder."""
    for i in range(1, count):  # noqa: SIM110
        if digits[i] != digits[0]:
            return False
    return True


@inline_kernel
def is_aadhaar(digits):
    """India: 12 digits, the first not 0 or 1, the last by Verhoeff's scheme."""
    if digits[0] < 2:
        return False
    check = 0
    for i in range(12):
        digit = np.int64(digits[11 - i])
        check = _VERHOEFF_D[check * 10 + _VERHOEFF_P[(i % 8) * 10 + digit]]
    return check == 0


@inline_kernel
def is_cpf(digits):
    """Brazil: 11 digits, the last two by sums modulo 11."""
    if _same(digits, 11):
        return False
    for position in range(9, 11):
        total = 0
        for i in range(position):
            total += np.int64(digits[i]) * (position + 1 - i)
        if total * 10 % 11 % 10 != digits[position]:
            return False
    return True


@inline_kernel
def is_bsn(digits):
    """The Netherlands: 9 digits, the sum with weights 9 to 2 and -1 a multiple of 11."""
    total = -np.int64(digits[8])
    for i in range(8):
        total += np.int64(digits[i]) * (9 - i)
    return total % 11 == 0 and not _same(digits, 9)


@inline_kernel
def _is_date(month, day):
    return 1 <= month <= 12 and 1 <= day <= 31


@inline_kernel
def is_pesel(digits):
    """Poland: 11 digits, a date of birth with the century in its month, weights 1 3 7 9."""
    month = _number(digits, 2, 2) % 20
    if not _is_date(month, _number(digits, 4, 2)):
        return False
    total = 0
    for i in range(10):
        weight = 1 if i % 4 == 0 else (3 if i % 4 == 1 else (7 if i % 4 == 2 else 9))
        total += np.int64(digits[i]) * weight
    return (10 - total % 10) % 10 == digits[10]


@inline_kernel
def is_tax_id(digits):
    """Germany: 11 digits, the first not 0, among the first ten exactly one digit two or three times, ISO 7064 11,10."""
    if digits[0] == 0:
        return False
    repeated = 0
    for value in range(10):
        times = 0
        for i in range(10):
            if digits[i] == value:
                times += 1
        if times > 3:
            return False
        if times > 1:
            repeated += 1
    if repeated != 1:
        return False
    product = 10
    for i in range(10):
        total = (np.int64(digits[i]) + product) % 10
        product = (10 if total == 0 else total) * 2 % 11
    return (11 - product) % 10 == digits[10]


@inline_kernel
def is_nir(digits):
    """France: 13 digits and two that are 97 less them modulo 97; sex, year, month first."""
    month = _number(digits, 3, 2)
    if digits[0] != 1 and digits[0] != 2:
        return False
    if not (1 <= month <= 12 or 20 <= month <= 42 or month >= 50):
        return False
    return 97 - _number(digits, 0, 13) % 97 == _number(digits, 13, 2)


@inline_kernel
def is_ssn(digits):
    """USA: 9 digits without check digit: no area 000, 666 or 9xx, no group 00, no serial 0000."""
    area = _number(digits, 0, 3)
    if area == 0 or area == 666 or area >= 900:
        return False
    return _number(digits, 3, 2) != 0 and _number(digits, 5, 4) != 0 and _number(digits, 0, 9) != 123456789


@part_kernel
def has_sum(digits, count):
    """Whether the check digits are right in one of the countries of _SUMS."""
    for row in range(len(_SUMS) // (4 + SUMS_DIGITS)):
        base = row * (4 + SUMS_DIGITS)
        if _SUMS[base] != count:
            continue
        modulus, rule = _SUMS[base + 1], _SUMS[base + 2]
        total = 0
        for i in range(count):
            total += np.int64(digits[i]) * _SUMS[base + 4 + i]
        left, last = total % modulus, np.int64(digits[count - 1])
        if rule == 0:
            right = left == _SUMS[base + 3]
        elif rule == 1:
            right = left % 10 == last
        elif rule == 2:
            right = (modulus - left) % 10 == last
        else:
            right = last == (0 if left < 2 else modulus - left)
        if right and not _same(digits, count):
            return True
    return False


@inline_kernel
def is_dni(digits, letter):
    """Spain: 8 digits and the letter that they are modulo 23."""
    return _DNI_LETTERS[_number(digits, 0, 8) % 23] == letter & 0xDF


@inline_kernel
def _is_alphanumeric(byte):
    return 0x30 <= byte <= 0x39 or 0x41 <= byte <= 0x5A or 0x61 <= byte <= 0x7A


@part_kernel
def iban_end(data, start, stop):
    """Position behind the IBAN that begins at `start`, in groups with single spaces or without; `start` if none."""
    first, second = at(data, start) - 0x41, at(data, start + 1) - 0x41
    if not (0 <= first < 26 and 0 <= second < 26):
        return start
    length = _IBAN_LENGTHS[first * 26 + second]
    if length == 0:
        return start
    taken = 0
    i = start
    head = 0
    remainder = 0
    while taken < length and i < stop:
        byte = at(data, i)
        if byte == 0x20 and taken > 0 and at(data, i - 1) != 0x20:
            i += 1
            continue
        if not (0x30 <= byte <= 0x39 or 0x41 <= byte <= 0x5A):
            return start
        value = byte - 0x30 if byte <= 0x39 else byte - 0x37
        if taken < 4:
            head = head * (10 if value < 10 else 100) + value
        else:
            remainder = (remainder * (10 if value < 10 else 100) + value) % 97
        taken += 1
        i += 1
    if taken < length or (i < stop and _is_alphanumeric(at(data, i))):
        return start
    return i if (remainder * 1_000_000 + head) % 97 == 1 else start
