"""Objects that a body asks for: in: the body of a GraphQL query, a JSON-RPC call or a request that only reads; out: its
object ids, folded as those of a target are (targets.py).

Ids are members whose name says id, and in the text of a GraphQL query arguments of such a name. A call's own `id` is
none (JSON-RPC 2.0, 4), nor is what a mutation names: it may be new. The one law: nothing but fingerprints and numbers
leaves.
"""


from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.http1.members import after_value, is_string, key_word, next_member, string_end
from sensor.protocols.http1.secret_names import is_secret_name
from sensor.protocols.http1.tables import Scalar
from sensor.protocols.http1.targets import is_id_name
from sensor.protocols.http1.uri import fold_id, number_at
from sensor.protocols.http1.words import find_folded, folded, is_digit, is_letter, short_word

_QUERY, _MUTATION = folded("query"), folded("mutation")
_READING = tuple(folded(word) for word in ("get", "find", "read", "view", "show", "load", "fetch", "lookup", "query"))
_READING_LENGTHS = (3, 4, 4, 4, 4, 4, 5, 6, 5)
_COLON, _QUOTE, _BACKSLASH, _SLASH, _DOLLAR, _DASH = 0x3A, 0x22, 0x5C, 0x2F, 0x24, 0x2D
_ID_MAX = 64
_DEPTH_MAX = 3


@inline_kernel
def _is_word(byte):
    return is_letter(byte) or is_digit(byte) or byte == 0x5F


@inline_kernel
def _note(numbers, data, start, stop):
    """One more id, unless it is too long to be one."""
    if 0 < stop - start <= _ID_MAX:
        numbers[Scalar.OBJECT_ID] = fold_id(numbers, data, start, stop)
        numbers[Scalar.OBJECT_NUMBER] = number_at(data, start, stop)


@inline_kernel
def _word_end(data, i, stop):
    while i < stop and (_is_word(at(data, i)) or at(data, i) == _DASH):
        i += 1
    return i


@part_kernel
def _read_arguments(numbers, data, start, stop):
    """The ids among the arguments in the text of a GraphQL document: `user(id: 7)`, `user(id: "7")` as JSON writes it;
    types and variables (`$id: ID!`, `id: $id`) are none.
    """
    for i in range(start + 2, stop):
        if at(data, i) != _COLON:
            continue
        name = i
        while name > start and _is_word(at(data, name - 1)):
            name -= 1
        if at(data, name - 1) == _DOLLAR or not is_id_name(data, name, i):
            continue
        value = i + 1
        while value < stop and (at(data, value) <= 0x20 or at(data, value) == _BACKSLASH or at(data, value) == _QUOTE):
            value += 1
        end = _word_end(data, value, stop)
        if end < stop and value < end:
            _note(numbers, data, value, end)


@part_kernel
def read_ids(numbers, data, start, stop, depth_min):
    """Fold the ids in the body at data[start:stop], of members `depth_min` deep or deeper, into OBJECT_ID and
    OBJECT_NUMBER of `numbers`, which begin anew.
    """
    numbers[Scalar.OBJECT_ID] = 0
    numbers[Scalar.OBJECT_NUMBER] = -1
    document = document_end = start
    depth = 0
    i = start
    while i < stop:
        key, size, value, depth = next_member(data, i, stop, depth)
        if key < 0:
            break
        i = after_value(data, value, stop)
        if depth == 1 and key_word(data, key, size) == _QUERY and is_string(data, value, stop):
            document, document_end = value + 1, string_end(data, value + 1, stop)
        if not depth_min <= depth <= _DEPTH_MAX or not is_id_name(data, key, key + size):
            continue
        if is_secret_name(data, key, key + size):
            continue
        if is_string(data, value, stop):
            _note(numbers, data, value + 1, string_end(data, value + 1, stop))
        elif is_digit(at(data, value)):
            _note(numbers, data, value, _word_end(data, value, stop))
    if document_end > document and numbers[Scalar.OBJECT_ID] == 0:
        _read_arguments(numbers, data, document, document_end)


@inline_kernel
def is_mutation(data, start, stop):
    """Whether a GraphQL request changes something."""
    return find_folded(data, start, stop, _MUTATION) >= 0


@part_kernel
def only_reads(data, start, stop):
    """Whether the last segment of the path at data[start:stop] begins as what reads does: get, find, fetch ..."""
    last = stop
    while last > start and at(data, last - 1) != _SLASH:
        last -= 1
    for k in range(len(_READING)):
        length = _READING_LENGTHS[k]
        if stop - last >= length and short_word(data, last, length) == _READING[k]:
            return True
    return False
