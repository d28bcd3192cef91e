"""What is known about an incident, for a terminal: an Investigation goes in, lines come out.

Law: nothing that traffic or a peer has chosen reaches the terminal as a control sequence.
"""

from __future__ import annotations

from collections.abc import Iterator

from sensor.cli.incidents import clock
from sensor.collector.investigation.gather import Investigation
from sensor.collector.views.table import printable


def lines(known: Investigation) -> Iterator[str]:
    """Facts first, then what to check and to do."""
    if known.place is not None:
        place = known.place
        yield printable(f"from: {', '.join(part for part in (place.city, place.country, place.network) if part)}")
    for other in known.others:
        numbers = ", ".join(map(str, other.incidents))
        when = f"{clock(other.first_seen)} to {clock(other.last_seen)}"
        told = f"{other.alerts:,} of {other.rule_id} ({other.severity}), {when}, incidents {numbers}"
        yield printable(f"also: {told}")
    for line in known.intelligence:
        yield printable(f"intelligence: {line}")
    for row in known.transactions:
        target = f"{row['method'] or '-'} {row['host'] or ''}{row['uri'] or ''}"
        length = f"{row['response_body_len'] or 0:,} bytes"
        yield printable(f"transaction: {clock(row['ts'])}  {target[:100]}  {row['status_code'] or '-'}  {length}")
    yield f"playbook {known.playbook}: {known.title}"
    for name in ("check", "contain", "afterwards"):
        yield from (printable(f"  {name}: {step}") for step in getattr(known, name))
