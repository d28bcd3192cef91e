"""What an HTTP/2 frame header looks like (RFC 9113, 4.1): in: bytes; out: whether frames begin there.

For a connection whose beginning was not seen, and behind a loss. The one law: frames are recognised by many bits that
must be right, never by few: what another protocol or a body could hold by chance is not taken for a frame.
"""

import numpy as np

from sensor._jit import at, inline_kernel, part_kernel
from sensor.protocols.http2.tables import FRAME_HEADER_BYTES, PREFACE_BYTES, Flag, Kind
from sensor.structures.bytesearch import load64

_FLAGS_KNOWN = np.array([0x09, 0x2D, 0x00, 0x00, 0x01, 0x0C, 0x01, 0x00, 0x00, 0x04], np.int64)
"""Flags that each kind of frame defines."""
_PREFACE = np.frombuffer(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", np.uint8)
_PREFACE_WORDS = tuple(np.uint64(int.from_bytes(_PREFACE[i : i + 8].tobytes(), "little")) for i in (0, 8))
_SETTINGS_MAX = 240
_STREAM_MAX = 1 << 28
_LINE_END = np.uint64(0x0A0D0A0D)


@inline_kernel
def is_preface(data, start, stop):
    """Whether data[start:stop] begins with the first line of the connection preface and an empty one (RFC 9113, 3.4).
    """
    if stop - start < 18 or load64(data, start) != _PREFACE_WORDS[0]:
        return False
    return load64(data, start + 8) == _PREFACE_WORDS[1] and load64(data, start + 10) >> np.uint64(32) == _LINE_END


@inline_kernel
def may_be_preface(data, start, stop):
    """Whether data[start:stop] is the first line of the connection preface, and at most half a line end more."""
    if not 16 <= stop - start < 18:
        return False
    return load64(data, start) == _PREFACE_WORDS[0] and load64(data, start + 8) == _PREFACE_WORDS[1]


@inline_kernel
def preface_byte(index):
    """One byte of the preface."""
    return np.int64(_PREFACE[index]) if index < PREFACE_BYTES else -1


@inline_kernel
def frame_length(data, start):
    return (at(data, start) << 16) | (at(data, start + 1) << 8) | at(data, start + 2)


@inline_kernel
def frame_stream(data, start):
    """The stream of the frame at `start`, with the reserved bit."""
    high = (at(data, start + 5) << 24) | (at(data, start + 6) << 16)
    return high | (at(data, start + 7) << 8) | at(data, start + 8)


@part_kernel
def frame_fits(length, kind, stream):
    """Whether a frame of this kind may have this length and stream (RFC 9113, 6)."""
    if kind == Kind.SETTINGS:
        return stream == 0 and length % 6 == 0
    if kind == Kind.PING:
        return stream == 0 and length == 8
    if kind == Kind.GOAWAY:
        return stream == 0 and length >= 8
    if kind == Kind.WINDOW_UPDATE:
        return length == 4
    if kind > Kind.CONTINUATION:
        return length <= 65_536 or kind <= 0x20
    if stream == 0:
        return False
    if kind == Kind.RST_STREAM:
        return length == 4
    return kind != Kind.PRIORITY or length == 5


@part_kernel
def frame_shape(data, start):
    """Payload length of the frame whose header is data[start:start+9], or -1 when it would be an odd one."""
    length, kind, flags = frame_length(data, start), at(data, start + 3), at(data, start + 4)
    stream = frame_stream(data, start)
    if length > 65_535 or kind > Kind.CONTINUATION or stream > _STREAM_MAX or flags & ~_FLAGS_KNOWN[kind] != 0:
        return -1
    if not frame_fits(length, kind, stream) or (kind == Kind.SETTINGS and length > _SETTINGS_MAX):
        return -1
    if kind == Kind.SETTINGS and flags != 0 and length > 0:
        return -1
    if (kind == Kind.HEADERS or kind == Kind.PUSH_PROMISE or kind == Kind.CONTINUATION) and length == 0:
        return -1
    return length


@part_kernel
def begins_with_settings(data, start, stop):
    """Whether the first frame a server sends could begin here: SETTINGS (RFC 9113, 3.4), as far as its header goes."""
    for i in range(start, min(stop, start + FRAME_HEADER_BYTES)):
        place, byte = i - start, at(data, i)
        if place == 2:
            if byte % 6 != 0 or byte > _SETTINGS_MAX:
                return False
        elif byte != (Kind.SETTINGS if place == 3 else 0):
            return False
    return True


@part_kernel
def begins_with_frames(data, start, stop):
    """Whether these bytes are frames, one behind the other: two at least, or one that ends where they end."""
    frames = 0
    i = start
    while i + FRAME_HEADER_BYTES <= stop:
        length = frame_shape(data, i)
        if length < 0:
            return False
        frames += 1
        i += FRAME_HEADER_BYTES + length
    return frames >= 2 or (frames == 1 and i == stop)


@part_kernel
def frames_go_on(data, start, stop):
    """Whether every frame header from data[start] to the end of these bytes has the right shape."""
    i = start
    while i + FRAME_HEADER_BYTES <= stop:
        length = frame_shape(data, i)
        if length < 0:
            return False
        i += FRAME_HEADER_BYTES + length
    return True


@inline_kernel
def is_padded(flags):
    return flags & Flag.PADDED != 0
