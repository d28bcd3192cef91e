"""What the words of a text say: in: the pool code of a path or of a media type; out: bits of Trait.

They are read once for each text and kept in its entry of the pool. The one law: a text's traits depend on its bytes
alone.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.protocols.http1.credentials import is_account_path, is_code_path, is_login_path, path_flags
from sensor.protocols.http1.logins import asks_for_account
from sensor.protocols.http1.words import find_folded, folded, short_word
from sensor.schema import TransactionFlag

_JSON, _URLENCO, _GRAPHQL = folded("json"), folded("urlencod"), folded("graphql")
_IMAGE, _VIDEO, _AUDIO, _FONT = folded("image/"), folded("video/"), folded("audio/"), folded("font/")


class Trait(IntEnum):
    """Bits of an entry's `traits`."""

    PATH = 1         # it was read as a path
    ACCOUNT = 2      # takes passwords for something else than to log in
    ASKS = 4         # is asked about an account by its name
    GRAPHQL = 8
    TYPE = 32        # it was read as a media type
    JSON = 64
    FORM = 128
    MEDIA = 1024     # pictures, sound, fonts


SESSION_FLAGS = int(TransactionFlag.LOGIN | TransactionFlag.LOGOUT | TransactionFlag.REFRESH)
"""What a path says of sessions stands among its traits as it does in the flags of transactions."""


@part_kernel
def _read_path(data, start, stop):
    session = np.int64(path_flags(data, start, stop))
    traits = np.int64(Trait.PATH) | session
    if session == 0 and (is_login_path(data, start, stop) or is_code_path(data, start, stop)):
        traits |= TransactionFlag.LOGIN
    if is_account_path(data, start, stop):
        traits |= Trait.ACCOUNT
    if asks_for_account(data, start, stop):
        traits |= Trait.ASKS
    if find_folded(data, start, stop, _GRAPHQL) >= 0:
        traits |= Trait.GRAPHQL
    return traits


@part_kernel
def _read_type(data, start, stop):
    traits = np.int64(Trait.TYPE)
    if find_folded(data, start, stop, _JSON) >= 0:
        traits |= Trait.JSON
    if find_folded(data, start, stop, _URLENCO) >= 0:
        traits |= Trait.FORM
    if stop - start >= 6:
        word = short_word(data, start, 6)
        if word == _IMAGE or word == _VIDEO or word == _AUDIO or short_word(data, start, 5) == _FONT:
            traits |= Trait.MEDIA
    return traits


@inline_kernel
def _traits(pool, code, kind):
    """What the text with this code says as a path or as a media type: `kind` is Trait.PATH or TYPE."""
    entry = pool.entries[np.int64(code)]
    traits = np.int64(entry["traits"])
    if traits & kind == 0:
        start = np.int64(entry["start"])
        stop = start + np.int64(entry["length"])
        read = _read_path(pool.bytes, start, stop) if kind == Trait.PATH else _read_type(pool.bytes, start, stop)
        traits |= read
        entry["traits"] = traits
    return traits


@inline_kernel
def path_traits(pool, code):
    """What the path, or endpoint, with this code says."""
    return _traits(pool, code, Trait.PATH)


@inline_kernel
def type_traits(pool, code):
    """What the media type with this code says."""
    return _traits(pool, code, Trait.TYPE)
