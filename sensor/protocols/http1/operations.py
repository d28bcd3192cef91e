"""Operations behind one path: in: the body of a GraphQL or JSON-RPC request; out: the operation's name.

A GraphQL request is known by its path, a JSON-RPC request by what its body says (JSON-RPC 2.0, 4). The one law: a name
is what both call one: letters, digits, `_`, `.`, `/`, `-`; at most 64 of them.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.http1.members import after_value, is_string, key_word, next_member, string_end
from sensor.protocols.http1.words import folded, is_digit, is_letter, short_word

_JSONRPC, _METHOD, _QUERY, _OPERATIO = folded("jsonrpc"), folded("method"), folded("query"), folded("operatio")
_MUTATION, _SUBSCRIP = folded("mutation"), folded("subscrip")
_BACKSLASH, _OPEN = 0x5C, 0x7B
NAME_MAX = 64


@inline_kernel
def _is_name(byte):
    return is_letter(byte) or is_digit(byte) or byte == 0x5F or byte == 0x2E or byte == 0x2F or byte == 0x2D


@inline_kernel
def _name(data, start, stop):
    end = start
    while end < stop and end - start < NAME_MAX and _is_name(at(data, end)):
        end += 1
    return start, end - start


@inline_kernel
def _skip_blanks(data, i, stop):
    """Behind white space, and line breaks as JSON writes them."""
    while i < stop and (at(data, i) <= 0x20 or at(data, i) == _BACKSLASH):
        i += 2 if at(data, i) == _BACKSLASH else 1
    return i


@inline_kernel
def _of_document(data, start, stop):
    """The name of the operation of a GraphQL document, or its first field when it has none."""
    i = _skip_blanks(data, start, stop)
    word, length = _name(data, i, stop)
    first = short_word(data, word, min(length, 8))
    if (length == 5 and first == _QUERY) or (length == 8 and first == _MUTATION) or (length > 8 and first == _SUBSCRIP):
        i = _skip_blanks(data, word + length, stop)
        word, length = _name(data, i, stop)
        if length > 0:
            return word, length
    while i < stop and at(data, i) != _OPEN:
        i += 1
    return _name(data, _skip_blanks(data, min(i + 1, stop), stop), stop)


@part_kernel
def operation(data, start, stop, graphql):
    """(start, length) of the operation's name in the body at data[start:stop]; length 0 when it is neither protocol's.
    """
    rpc = False
    name, length = start, 0
    document = -1
    depth = 0
    i = start
    while i < stop:
        key, size, value, depth = next_member(data, i, stop, depth)
        if key < 0:
            break
        i = after_value(data, value, stop)
        word = key_word(data, key, size)
        if depth > 2 or not is_string(data, value, stop):
            continue
        if word == _JSONRPC:
            rpc = True
        elif (word == _METHOD and not graphql) or (
            graphql and size == 13 and short_word(data, key, 8) == _OPERATIO
        ):
            if length == 0:
                name, length = _name(data, value + 1, string_end(data, value + 1, stop))
        elif word == _QUERY and document < 0:
            document = value + 1
    if graphql and length == 0 and document >= 0:
        return _of_document(data, document, stop)
    return (name, length) if graphql or rpc else (start, np.int64(0))
