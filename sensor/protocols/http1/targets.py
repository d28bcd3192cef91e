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
from sensor.protocols.http1.words import any_of, folded, is_any, says_any, short_word
from sensor.structures.bytesearch import find_byte

_AMP, _EQUAL, _DOT = 0x26, 0x3D, 0x2E
_OWNERS = any_of("owner", "user", "account", "customer", "email", "phone", "username")
_IDS = any_of("id", "uid", "uuid", "guid")
_PAGES = any_of("page", "p", "pg", "offset", "start", "skip", "from", "index", "pageno")
_CURSORS = any_of("cursor", "after", "next", "marker")
_CREDENTIALS = any_of("token", "key", "jwt", "auth", "sess")
_UNDER_ID, _DASH_ID, _PAGE, _TOKEN = folded("_id"), folded("-id"), folded("page"), folded("token")
_PAGE_MAX = 0x7FFFFFFF
CURSOR = -2


@inline_kernel
def is_id_name(data, start, stop):
    """id, uid, uuid, guid, names that end in _id, -id or Id, and the usual names of whose things are asked for."""
    length = stop - start
    if 4 <= length <= 8 and is_any(short_word(data, start, length), _OWNERS):
        return True
    if length < 2 or (at(data, stop - 1) | 0x20) != 0x64:
        return False
    if length <= 4 and is_any(short_word(data, start, length), _IDS):
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
    if is_any(word, _PAGES):
        return 1
    return 2 if is_any(word, _CURSORS) else 0


@inline_kernel
def _is_credential_name(data, start, stop):
    """Whether a secret parameter is a credential of the request, and not a password or a card."""
    return says_any(data, start, stop, _CREDENTIALS)


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
