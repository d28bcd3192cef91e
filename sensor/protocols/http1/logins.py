"""Logins that no path tells: in: the body of a GraphQL or JSON-RPC request, or the path of one about an account; out:
whether it is a login, and where the account's name lies.

A login has the words of one in its operation or in the first field of a GraphQL document, and a password. The one law:
what is found is only told apart here, and nothing of it is kept.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.http1.credentials import is_account_key, is_login_path
from sensor.protocols.http1.escapes import put_json_text
from sensor.protocols.http1.tables import CLEAN_AT
from sensor.protocols.http1.words import any_of, find_folded, folded, is_digit, is_letter, says_any

_MUTATION, _JSONRPC = folded("mutation"), folded("jsonrpc")
_PASSWORDS = any_of("passw", "pwd")
_LOGINS = any_of("login", "logon", "signin", "authenti")
_ACCOUNTS = any_of(
    "regist", "signup", "sign-up", "pass", "reset", "forgot", "recover", "exist", "availab", "email", "username",
    "contrase",
)  # fmt: skip
_OPEN, _COLON, _QUOTE, _BACKSLASH, _DOLLAR, _SP = 0x7B, 0x3A, 0x22, 0x5C, 0x24, 0x20


@inline_kernel
def has_password(data, start, stop):
    """Whether a body gives a password, by a word in it."""
    return says_any(data, start, stop, _PASSWORDS)


@part_kernel
def asks_for_account(data, start, stop):
    """Whether a path, by its words, is asked about an account by its name: is it free, a new one, a new password."""
    return says_any(data, start, stop, _ACCOUNTS)


@inline_kernel
def _is_name(byte):
    return is_letter(byte) or is_digit(byte) or byte == 0x5F


@inline_kernel
def _skip(data, i, stop):
    """Behind white space, line breaks as JSON writes them, and a quote with or without its backslash."""
    while i < stop and (at(data, i) <= _SP or at(data, i) == _BACKSLASH):
        i += 2 if at(data, i) == _BACKSLASH and i + 1 < stop and at(data, i + 1) != _QUOTE else 1
    return i


@inline_kernel
def _name_end(data, i, stop):
    while i < stop and _is_name(at(data, i)):
        i += 1
    return i


@part_kernel
def _first_field(data, start, stop):
    """(start, stop) of the first field of the mutation in data[start:stop], whatever it is called there."""
    i = find_folded(data, start, stop, _MUTATION)
    if i < 0:
        return start, start
    while i < stop and at(data, i) != _OPEN:
        i += 1
    name = _skip(data, i + 1, stop)
    end = _name_end(data, name, stop)
    behind = _skip(data, end, stop)
    if behind < stop and at(data, behind) == _COLON:
        name = _skip(data, behind + 1, stop)
        end = _name_end(data, name, stop)
    return name, end


@part_kernel
def is_login_operation(names, name, name_stop, data, start, stop):
    """Whether the operation names[name:name_stop], asked for by the body data[start:stop], is a login; JSON-RPC may
    give its password without a name.
    """
    if not has_password(data, start, stop):
        return find_folded(data, start, stop, _JSONRPC) >= 0 and says_any(names, name, name_stop, _LOGINS)
    if is_login_path(names, name, name_stop):
        return True
    field, end = _first_field(data, start, stop)
    return end > field and is_login_path(data, field, end)


@part_kernel
def argument_account(data, start, stop):
    """Decode the account's name among the arguments of a GraphQL document, `login(email: "..")`, to data[CLEAN_AT:];
    returns its length, 0 when there is none.
    """
    for i in range(start + 1, stop):
        if at(data, i) != _COLON:
            continue
        name = i
        while name > start and _is_name(at(data, name - 1)):
            name -= 1
        if (name > start and at(data, name - 1) == _DOLLAR) or not is_account_key(data, name, i):
            continue
        value = _skip(data, i + 1, stop)
        if value < stop and at(data, value) == _QUOTE:
            end = value + 1
            while end < stop and at(data, end) != _QUOTE and at(data, end) != _BACKSLASH:
                end += 1
            return put_json_text(data, value + 1, end, data, CLEAN_AT) - CLEAN_AT
    return np.int64(0)
