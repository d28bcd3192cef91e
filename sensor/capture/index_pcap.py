"""Where the packets of a pcap file lie: in: bytes behind the file header; out: rows of FRAME.

Format: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html, and the modified one (magic a1b2cd34)
whose record heads have 8 bytes more. The one law: a record becomes a row only when all of its bytes are there,
so any cut of the stream into reads gives the same rows.
"""

from sensor._jit import Bytes, I64s, kernel
from sensor.capture.layout import Cursor, Fault, PcapLayout
from sensor.capture.words import first, second
from sensor.limits import FRAME_BYTES_MAX, NS
from sensor.schema import FRAME
from sensor.structures.bytes_ahead import ask_bytes_ahead
from sensor.structures.bytesearch import load64


@kernel
def index_pcap(data: Bytes, cursor: I64s, layout: I64s, frames: FRAME, row: int) -> int:
    """Fill frames[row:] with the records from cursor[POSITION] on, and move it; the rows there are then."""
    position = cursor[Cursor.POSITION]
    stop = cursor[Cursor.STOP]
    big = layout[PcapLayout.BIG_ENDIAN]
    fraction_ns = layout[PcapLayout.FRACTION_NS]
    head_bytes = layout[PcapLayout.HEAD_BYTES]
    link = layout[PcapLayout.LINK]
    while row < len(frames) and position + head_bytes <= stop:
        time = load64(data, position)
        lengths = load64(data, position + 8)
        caplen = first(lengths, big)
        if caplen > FRAME_BYTES_MAX:
            cursor[Cursor.FAULT] = Fault.RECORD_TOO_LONG
            cursor[Cursor.FAULT_VALUE] = caplen
            break
        if position + head_bytes + caplen > stop:
            break
        ask_bytes_ahead(data, position, head_bytes + caplen)
        frame = frames[row]
        frame["offset"] = position + head_bytes
        frame["ts"] = first(time, big) * NS + second(time, big) * fraction_ns
        frame["caplen"] = caplen
        frame["wirelen"] = max(second(lengths, big), caplen)
        frame["link"] = link
        frame["flags"] = 0
        frame["vlan"] = 0
        row += 1
        position += head_bytes + caplen
    cursor[Cursor.POSITION] = position
    return row
