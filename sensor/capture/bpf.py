"""Filters in tcpdump's syntax: in: "tcp port 80"; out: instructions of classic BPF, compiled by scapy through libpcap.

The one law: an expression that does not compile is a SettingError that quotes it.
"""

from __future__ import annotations

from sensor.errors import SettingError

_ETHERNET = 1


def compile_filter(expression: str) -> list[tuple[int, int, int, int]]:
    """(code, jump if true, jump if false, constant) of every instruction, none for an empty expression.

    Syntax: https://www.tcpdump.org/manpages/pcap-filter.7.html.
    """
    if not expression.strip():
        return []
    try:
        from scapy.arch.common import compile_filter as compiled_by_libpcap
        from scapy.error import Scapy_Exception
    except ImportError as error:
        remedy = "pip install 'tapir-sensor[live]' and apt install libpcap0.8"
        raise SettingError(f"capture.filter needs scapy and libpcap: {error}: {remedy}") from None
    try:
        program = compiled_by_libpcap(expression, linktype=_ETHERNET)
    except (Scapy_Exception, OSError, ImportError) as error:
        raise SettingError(f"capture.filter: {expression!r} does not compile: {error}") from None
    return [
        (each.code, each.jt, each.jf, each.k) for each in (program.bf_insns[place] for place in range(program.bf_len))
    ]
