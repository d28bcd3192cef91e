"""How well the mirror delivers: in: a Summary and the counters of all stages; out: findings, each with a figure and
one line on what to do.

The one law: a share is taken of what it could have happened to, and a threshold stands beside its reason. A finding is
`trouble` when what Tapir says of the traffic suffers, `notice` when it copes.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from sensor.cli.summary import Summary

Counts = dict[str, dict[str, int]]
Level = Literal["ok", "notice", "trouble"]

DUPLICATES_MIN = 0.01
"""Of the packets. A mirror that doubles at all doubles whole ports; what stays below is doubled by the network."""
ONE_SIDED_MIN = 0.02
"""Of the answered TCP connections. The capture's first and last moments cut a few in half."""
MISSING_MIN = 0.001
"""Of the TCP bytes. One packet in a thousand touches one in a hundred transactions of ten packets."""
CUT_MIN = 0.001
"""Of the frames; as for lost ones."""
BACKWARDS_MIN = 0.001
"""Of the frames. Cards with several queues change the order of a few by microseconds."""
VLAN_MIN = 0.01
"""Of the flows with both directions."""
UNDECODED_MIN = 0.01
"""Of the frames."""

USUAL = ("decoded", "arp", "llc", "ppp_control", "tunnel_control", "wlan_control", "no_next_header", "fragment_held",
         "fragment_duplicate", "quarantined")  # fmt: skip
"""Reasons for no segment that any network has, or that are told elsewhere."""
CAUSES = {
    "unknown_link": "capture on an Ethernet interface, or convert the capture: this link type is not read",
    "unknown_ethertype": "protocols other than IP: leave them out of the mirror if they are many",
    "unknown_transport": "routing and multicast protocols over IP: nothing to do",
    "encrypted": "IPsec or protected Wi-Fi: mirror behind the gateway that ends it",
    "kernel_fault": "a defect in Tapir: please report it, with the frame if you may",
    "bad_tunnel": "a tunnel header that is not as specified: another protocol on the tunnel's port? See decode.*_ports",
    "fragment_cut": "fragments cut by the snap length cannot be put together: capture whole packets",
    "too_many_layers": "headers nested deeper than any network needs: a loop in the mirror?",
}
BROKEN = "headers cut short or broken: capture whole packets, and look at the interface's error counters"
LOSSES = ("evicted", "exhausted", "fault", "dropped", "rejected")
"""A counter with one of these in its name says that the sensor gave something up."""


class Finding(NamedTuple):
    """`seen` of `whole`, and what to do about it; `share` is 0 when there is nothing to take one of."""

    name: str
    level: Level
    text: str
    seen: int
    whole: int
    advice: str

    @property
    def share(self) -> float:
        return self.seen / self.whole if self.whole else 0.0


def _judged(name: str, text: str, count: int, whole: int, minimum: float, level: Level, advice: str) -> Finding:
    """Found when it happened and its share reaches the minimum."""
    found = count > 0 and count >= minimum * whole
    return Finding(name, level if found else "ok", text, count, whole, advice)


def examine(summary: Summary, counters: Counts) -> list[Finding]:
    """All findings, healthy ones too, in the order in which a reader should look at them."""
    capture, reassembly = _counts(counters, "capture"), _counts(counters, "reassembly")
    frames = capture["frames"]
    doubled = reassembly["duplicate_packets"]
    lost = max(0, summary.both_ways_missing - reassembly["cut_bytes"])
    found = [
        Finding("traffic", "ok" if frames else "trouble", "frames seen", frames, 0,
                "nothing was captured: is the mirror on, and is this the interface it is on?"),
        _judged("duplicates", "packets that came twice", doubled, doubled + reassembly["packets"], DUPLICATES_MIN,
                "trouble", "mirror each link once (rx of all ports, or both directions of one): they count once here, "
                "but take half of the mirror"),
        _judged("one_sided", "answered TCP connections with one direction only", summary.flows_halved,
                summary.flows_answered, ONE_SIDED_MIN, "trouble",
                "mirror both directions, and both links of an asymmetric path: requests lack their responses"),
        _judged("missing", "TCP bytes never seen, of connections seen both ways", lost, summary.both_ways_bytes + lost,
                MISSING_MIN, "trouble",
                "the mirror port or the capture drops: look at the switch's output drops, enlarge the capture buffer"),
        _judged("cut", "frames cut by the snap length", capture["cut_frames"], frames, CUT_MIN, "trouble",
                "capture whole packets (tcpdump -s 0): bodies and long heads are lost, lengths stay right"),
        _judged("clock", "timestamps before that of the frame ahead", capture["clock_backwards"], frames, BACKWARDS_MIN,
                "trouble", "several clocks or a merge out of order: synchronise them, merge by time (mergecap)"),
        _judged("quarantined", "frames with an insane timestamp, left out", capture["quarantined"], frames, 0.0,
                "trouble", "the clock of the capturing machine leapt: synchronise it (NTP, PTP)"),
        _judged("offload", "frames longer than 1,600 bytes", capture["large_frames"], frames, 0.0, "notice",
                "jumbo frames, or merged by the card: sizes are not the wire's; ethtool -K INTERFACE gro off lro off"),
        _judged("vlan_asymmetry", "flows whose directions have different VLANs", summary.flows_vlans_differ,
                summary.flows_both_ways, VLAN_MIN, "notice", "nothing: Tapir puts the two together"),
    ]  # fmt: skip
    sealed = _counts(counters, "tls")["quic_without_ciphers"]
    if sealed:
        advice = "pip install 'tapir-sensor[quic]' reads names and fingerprints, protocols.quic = false leaves them out"
        found.append(Finding("quic", "notice", "first datagrams of QUIC that were not opened", sealed, 0, advice))
    return found + _undecoded(_counts(counters, "decode"), frames) + _own(counters)


def _counts(counters: Counts, stage: str) -> Counter[str]:
    """What a stage counted, 0 for what it did not."""
    return Counter(counters.get(stage, {}))


def _undecoded(decode: dict[str, int], frames: int) -> list[Finding]:
    """One a reason that is not usual; all of them together when none stands out."""
    left = {reason: count for reason, count in decode.items() if count and reason not in USUAL}
    found = [
        Finding("undecoded", "trouble", f"frames not decoded: {reason.replace('_', ' ')}", count, frames,
                CAUSES.get(reason, BROKEN))
        for reason, count in sorted(left.items(), key=lambda item: -item[1])
        if count >= UNDECODED_MIN * frames
    ]  # fmt: skip
    return found or [Finding("undecoded", "ok", "frames not decoded", sum(left.values()), frames, "")]


def _own(counters: Counts) -> list[Finding]:
    """What the sensor itself gave up."""
    lost = {
        f"{stage}.{name}": count
        for stage in ("capture", "fragments", "reassembly", "protocols")
        for name, count in counters.get(stage, {}).items()
        if count and any(word in name for word in LOSSES)
    }
    text = "given up by the sensor" + (f": {', '.join(lost)}" if lost else "")
    advice = "more flows than there is room for: raise reassembly.flows_max, or give the sensor less to watch"
    return [Finding("sensor", "trouble" if lost else "ok", text, sum(lost.values()), 0, advice)]


def is_healthy(findings: list[Finding]) -> bool:
    return all(finding.level != "trouble" for finding in findings)


def as_dicts(findings: list[Finding]) -> list[dict[str, object]]:
    """For JSON: every field, and the share (null where there is nothing to take one of)."""
    return [
        {
            "name": finding.name, "level": finding.level, "what": finding.text, "count": finding.seen,
            "of": finding.whole or None, "share": round(finding.share, 6) if finding.whole else None,
            "advice": finding.advice if finding.level != "ok" else None,
        }
        for finding in findings
    ]  # fmt: skip
