"""Texts of lookups: in: LOOKUP and ANSWER rows; out: texts one behind the other, with their offsets.

The one law: texts are those that the other outputs have, so that rows can be joined.
"""

import numpy as np

from sensor._jit import Bytes, I64s, inline_kernel, kernel
from sensor.export.digits import put_digits
from sensor.export.texts import ADDRESS_BYTES, UID_BYTES, put_address, put_uid
from sensor.schema_dns import ANSWER, LOOKUP, Type
from sensor.structures.bytesearch import copy_bytes
from sensor.structures.community_id_kernels import TEXT_BYTES, put_community_id

ROW_TEXTS = 5
"""uid, Community ID, client, server and name asked for."""
ROW_BYTES = UID_BYTES + TEXT_BYTES + 2 * ADDRESS_BYTES
"""Of one row's texts, without the name."""
ANSWER_BYTES = 48
"""The most that is written for an answer besides its own text: an address, or words around it."""
_TXT = np.frombuffer(b"TXT ", np.uint8)
_UNKNOWN = np.frombuffer(b"<unknown type=", np.uint8)
_SPACE, _CLOSE = 32, 62


@kernel
def row_texts(rows: LOOKUP, texts: Bytes, work: I64s, out: Bytes, offsets: I64s) -> None:
    """ROW_TEXTS texts of each row; `work` is WORK_WORDS of Community ID's."""
    position = 0
    for i in range(len(rows)):
        row = rows[i]
        place = ROW_TEXTS * i
        offsets[place] = position
        position = put_uid(out, position, row["uid_hi"], row["uid_lo"])
        offsets[place + 1] = position
        put_community_id(
            work, out, position, row["client_hi"], row["client_lo"], row["server_hi"], row["server_lo"],
            np.int64(row["client_port"]), np.int64(row["server_port"]), np.int64(row["proto"]),
        )  # fmt: skip
        position += TEXT_BYTES
        offsets[place + 2] = position
        position = put_address(out, position, row["client_hi"], row["client_lo"])
        offsets[place + 3] = position
        position = put_address(out, position, row["server_hi"], row["server_lo"])
        offsets[place + 4] = position
        length = np.int64(row["query_length"])
        copy_bytes(texts, np.int64(row["query"]), length, out, position)
        position += length
    offsets[ROW_TEXTS * len(rows)] = position


@inline_kernel
def _put_words(out, position, words):
    copy_bytes(words, 0, len(words), out, position)
    return position + len(words)


@kernel
def answer_texts(answers: ANSWER, texts: Bytes, out: Bytes, offsets: I64s) -> None:
    """The text of each answer, as Zeek writes them."""
    position = 0
    for i in range(len(answers)):
        answer = answers[i]
        offsets[i] = position
        kind, start, length = np.int64(answer["type"]), np.int64(answer["start"]), np.int64(answer["length"])
        if (kind == Type.A or kind == Type.AAAA) and (answer["hi"] != 0 or answer["lo"] != 0):
            position = put_address(out, position, answer["hi"], answer["lo"])
        elif start < 0:
            position = put_digits(out, _put_words(out, position, _UNKNOWN), kind)
            out[position] = np.uint8(_CLOSE)
            position += 1
        else:
            if kind == Type.TXT or kind == Type.SPF:
                position = put_digits(out, _put_words(out, position, _TXT), length)
                out[position] = np.uint8(_SPACE)
                position += 1
            copy_bytes(texts, start, length, out, position)
            position += length
    offsets[len(answers)] = position
