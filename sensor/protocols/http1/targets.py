"""What a request target asks for: in: its bytes; out: object ids, the page, and where a credential stands in it.

Ids are path segments that the endpoint's template replaced, and values of parameters whose name says id. They leave as
one keyed fingerprint, and the last of them as a number. The results lie in `numbers` (Scalar.OBJECT_ID and so on) until
the next target is read. The one law: nothing but fingerprints and numbers leaves.
"""


from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.http1.secret_names import is_secret_name
from sensor.protocols.http1.tables import Scalar
from sensor.protocols.http1.tokens import begins_jwt
from sensor.protocols.http1.uri import fold_id, number_at
from sensor.protocols.http1.words import find_folded, folded, short_word
from sensor.structures.bytesearch import find_byte

_AMP, _EQUAL, _DOT = 0x26, 0x3D, 0x2E
_ID, _UID, _UUID, _GUID = folded("id"), folded("uid"), folded("uuid"), folded("guid")
_OWNER, _USER, _ACCOUNT = folded("owner"), folded("user"), folded("account")
_CUSTOMER, _EMAIL, _PHONE, _USERNAME = folded("customer"), folded("email"), folded("phone"), folded("username")
_UNDER_ID, _DASH_ID = folded("_id"), folded("-id")
_PAGE, _P, _PG, _OFFSET, _START = folded("page"), folded("p"), folded("pg"), folded("offset"), folded("start")
_SKIP, _FROM, _INDEX, _CURSOR = folded("skip"), folded("from"), folded("index"), folded("cursor")
_AFTER, _NEXT, _MARKER, _PAGE_NO = folded("after"), folded("next"), folded("marker"), folded("pageno")
_TOKEN, _KEY, _JWT, _AUTH, _SESS = folded("token"), folded("key"), folded("jwt"), folded("auth"), folded("sess")
_PAGE_MAX = 0x7FFFFFFF
CURSOR = -2


@inline_kernel
def is_id_name(data, start, stop):
    """id, uid, uuid, guid, names that end in _id, -id or Id, and the usual names of whose things are asked for."""
    length = stop - start
    if 4 <= length <= 8:
        word = short_word(data, start, length)
        if word == _OWNER or word == _USER or word == _ACCOUNT or word == _CUSTOMER:
            return True
        if word == _EMAIL or word == _PHONE or word == _USERNAME:
            return True
    if length < 2 or (at(data, stop - 1) | 0x20) != 0x64:
        return False
    if length <= 4:
        word = short_word(data, start, length)
        if word == _ID or word == _UID or word == _UUID or word == _GUID:
            return True
    if length < 3:
        return False
    tail = short_word(data, stop - 3, 3)
    return tail == _UNDER_ID or tail == _DASH_ID or (at(data, stop - 2) == 0x49 and at(data, stop - 3) >= 0x61)


@inline_kernel
def _page_kind(data, start, stop):
    """1 for a parameter that counts pages or rows, 2 for a cursor, else 0."""
    length = stop - start
    if length > 8:
        return 1 if short_word(data, start, 4) == _PAGE and short_word(data, stop - 5, 5) != _TOKEN else 0
    word = short_word(data, start, length)
    if (
        word == _PAGE or word == _P or word == _PG or word == _OFFSET or word == _START or word == _SKIP
        or word == _FROM or word == _INDEX or word == _PAGE_NO
    ):  # fmt: skip
        return 1
    return 2 if word == _CURSOR or word == _AFTER or word == _NEXT or word == _MARKER else 0


@inline_kernel
def _is_credential_name(data, start, stop):
    """Whether a secret parameter is a credential of the request, and not a password or a card."""
    return (
        find_folded(data, start, stop, _TOKEN, 5) >= 0
        or find_folded(data, start, stop, _KEY, 3) >= 0
        or find_folded(data, start, stop, _JWT, 3) >= 0
        or find_folded(data, start, stop, _AUTH, 4) >= 0
        or find_folded(data, start, stop, _SESS, 4) >= 0
    )


@inline_kernel
def _note_page(numbers, data, kind, start, stop):
    number = number_at(data, start, stop)
    if kind == 1 and number >= 0:
        numbers[Scalar.PAGE] = min(number, _PAGE_MAX)
    elif kind == 2 and numbers[Scalar.PAGE] == -1 and stop > start:
        numbers[Scalar.PAGE] = CURSOR


@part_kernel
def read_query(numbers, data, start, stop):
    """Read the parameters at data[start:stop]; returns whether a secret is among them."""
    secret = False
    i = start
    while i < stop:
        end = find_byte(data, i, stop, _AMP)
        equal = find_byte(data, i, end, _EQUAL)
        if equal < end and equal > i:
            kind = _page_kind(data, i, equal)
            if kind > 0:
                _note_page(numbers, data, kind, equal + 1, end)
            elif is_id_name(data, i, equal) and not is_secret_name(data, i, equal):
                numbers[Scalar.OBJECT_ID] = fold_id(numbers, data, equal + 1, end)
                numbers[Scalar.OBJECT_NUMBER] = number_at(data, equal + 1, end)
            jwt = end - equal > 20 and begins_jwt(data, equal + 1) and find_byte(data, equal, end, _DOT) < end
            if end - equal > 4 and (jwt or is_secret_name(data, i, equal)):
                secret = True
                if end - equal > 8 and (jwt or _is_credential_name(data, i, equal)):
                    numbers[Scalar.SECRET], numbers[Scalar.SECRET_LEN] = equal + 1, end - equal - 1
        i = end + 1
    return secret
