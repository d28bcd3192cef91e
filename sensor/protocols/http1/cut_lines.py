"""First lines whose end nobody saw: in: the bytes before a loss, or before the snap length; out: what they tell.

The one law: a field is told as far as it was seen, one that cannot be told is absent, and what could be something else
than HTTP is not taken for it.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.http1.head import looks_like_head, status_line
from sensor.protocols.http1.tables import Field
from sensor.protocols.http1.words import literal
from sensor.structures.bytesearch import find_byte, word_of

WHOLE, CUT_TARGET = 1, 2
_METHODS = tuple(literal(method) for method in ("GET ", "POST ", "PUT ", "HEAD ", "DELETE ", "PATCH ", "OPTIONS "))
_METHOD_MAX = 16
_SP, _CR, _LF, _SLASH = 32, 13, 10, 0x2F
_REQUEST, _RESPONSE = 1, 2


@inline_kernel
def _is_usual(data, start, length):
    """Whether the method and its blank, `length` bytes, are of those that APIs are asked with."""
    word = word_of(data, start, min(length, 8))
    usual = False
    for method in _METHODS:
        usual = usual or word == method
    return usual


@inline_kernel
def _request(data, start, stop, known, field):
    """Method and target; of a connection that is not `known` to be HTTP only what can hardly be anything else."""
    blank = find_byte(data, start, min(stop, start + _METHOD_MAX), _SP)
    if blank - start < 3 or blank + 1 >= stop:
        return 0
    for i in range(start, blank):
        if not 0x41 <= at(data, i) <= 0x5A:
            return 0
    target = blank + 1
    if not known and (at(data, target) != _SLASH or not _is_usual(data, start, target - start)):
        return 0
    end = find_byte(data, target, stop, _SP)
    if end == target:
        return 0
    for i in range(target, end):
        if at(data, i) < _SP:
            return 0
    field[Field.METHOD], field[Field.METHOD + 1] = start, blank - start
    field[Field.URI], field[Field.URI + 1] = target, end - target
    return WHOLE if end < stop else CUT_TARGET


@part_kernel
def read_cut_line(data, start, stop, client, asks, field):
    """Whether data[start:stop], which has no line end, is a first line cut off: 0, WHOLE, or CUT_TARGET when the target
    may go on. `client` is the side that is known to ask, -1 when none is; `asks`: these bytes are of that side.
    """
    while start < stop and (at(data, start) == _CR or at(data, start) == _LF):
        start += 1
    field[Field.END] = stop
    kind = looks_like_head(data, start, stop)
    if kind == _RESPONSE and status_line(data, start, stop, field):
        field[Field.STATUS_MSG] = field[Field.STATUS_MSG + 1] = 0
        return WHOLE
    if kind != _REQUEST or (client >= 0 and not asks):
        return 0
    return _request(data, start, stop, client >= 0, field)


@inline_kernel
def forget_endpoint(t, flow_row):
    """The target of the request that was begun last may go on: it names no endpoint."""
    last = np.int64(t.http_flows[flow_row]["last"])
    if last >= 0:
        t.open[last]["endpoint"] = 0
