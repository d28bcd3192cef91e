"""How long endpoints take to answer: in: transactions with their entities; out: rows at which a shift is worth saying.

Of each endpoint the last waits are held beside a histogram of those before them, of each client one wait in a few
seconds, so that nobody's own questions are taken for the endpoint's habit. The one law: while a shift lasts, nothing of
it becomes what is usual, until it has lasted so long that it is.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import Bytes, F64s, I32s, I64s, U32s, inline_kernel, kernel, part_kernel
from sensor.detection.error_shares_kernel import LOST
from sensor.schema import TRANSACTION
from sensor.structures.entity_tables import ENTITIES
from sensor.structures.log_histogram import BINS, MIDDLES, bin_of, quantile_bin
from sensor.structures.prefetch import FAR_AHEAD, prefetch

RECENT = 16
"""Waits held of an endpoint."""
SLOW, CALM = 12, 8
"""So many of them slow are the begin of a shift; fewer than so many are its end."""
STEP_NS = 5_000_000_000
"""Of each client one wait counts in so much packet time."""
FOLDED_MAX = 6
"""Waits that become part of the histogram in a step, so that it speaks of hours and not of the last minutes."""
KNOWN_MAX = 60_000
"""Waits in a histogram at which all of them are halved."""
_HIGH = 0.95
_ONE = np.uint64(1)

WAITS = np.dtype(
    [
        ("clients", "u8"),      # bits of the clients that counted in this step
        ("everyone", "u8"),     # bits of all clients in the histogram
        ("step", "i8"),
        ("since_now", "i8"),    # packet time at which the shift began, 0 while there is none
        ("since_ts", "i8"),
        ("reported_now", "i8"), # 0 while the shift was not told
        ("generation", "u4"),
        ("known", "i4"),        # waits in the histogram
        ("held", "i4"),         # waits held, at most RECENT
        ("place", "i4"),        # where the next one goes
        ("folded", "i4"),       # of this step
        ("fresh", "i4"),        # waits in the histogram since `usual` and `high` were looked up
        ("usual", "i4"),        # median bin
        ("high", "i4"),         # bin above which a wait is slow
        ("slow", "i4"),         # slow waits of this shift
        ("server", "i4"),
    ],
    align=True,
)
SLOW_SERVER = np.dtype([("generation", "u4"), ("told", "i4")], align=True)
"""Of a server: endpoints whose shift was told and goes on."""
HIT = np.dtype(
    [("row", "i8"), ("since_now", "i8"), ("since_ts", "i8"), ("held", "i8"), ("usual", "i8"), ("high", "i8"),
     ("slow", "i8"), ("slow_held", "i8"), ("clients", "i8"), ("endpoints", "i8")]
)  # fmt: skip
"""`held`, `usual` and `high` are bins."""


class Threshold(IntEnum):
    ANSWERS = 0
    RATIO = 1
    SHIFT_US = 2
    LASTING_NS = 3
    CLIENTS = 4
    ADOPT_NS = 5
    REPORT_NS = 6


class Progress(IntEnum):
    ROW = 0
    HITS = 1


@inline_kernel
def _end(waits, servers):
    """The shift is over, or nobody's any more."""
    if waits["reported_now"] != 0 and servers[waits["server"]]["told"] > 0:
        servers[waits["server"]]["told"] -= 1
    waits["since_now"] = 0
    waits["reported_now"] = 0
    waits["slow"] = 0


@part_kernel
def _begin(waits, servers, histograms, base, generation):
    """Forget an endpoint, or what was usual for it."""
    if waits["since_now"] != 0:
        _end(waits, servers)
    waits["generation"] = generation
    waits["known"] = 0
    waits["fresh"] = 0
    waits["everyone"] = 0
    for i in range(base, base + BINS):
        histograms[i] = 0


@inline_kernel
def _is_enough(bits, least):
    """Whether at least so many bits are set."""
    count = 0
    while bits != 0 and count < least:
        bits &= bits - _ONE
        count += 1
    return count >= least


@part_kernel
def _fold(waits, histograms, base, wait, client, limits):
    """Let a wait become part of what is usual."""
    histograms[base + wait] += 1
    waits["known"] += 1
    waits["folded"] += 1
    waits["fresh"] += 1
    waits["everyone"] |= _ONE << np.uint64(client)
    if waits["known"] >= KNOWN_MAX:
        total = 0
        for i in range(base, base + BINS):
            histograms[i] >>= 1
            total += histograms[i]
        waits["known"] = total
    known = np.int64(waits["known"])
    if waits["fresh"] >= RECENT or known == limits[Threshold.ANSWERS]:  # from which on it is looked at
        usual = quantile_bin(histograms, base, known, 0.5)
        least = max(MIDDLES[usual] * limits[Threshold.RATIO], MIDDLES[usual] + limits[Threshold.SHIFT_US])
        waits["fresh"] = 0
        waits["usual"] = usual
        waits["high"] = max(quantile_bin(histograms, base, known, _HIGH), bin_of(np.int64(least)))


@inline_kernel
def _median(recent, base):
    """The eighth of the waits held, by size."""
    for i in range(base, base + RECENT):
        below, equal = 0, 0
        for j in range(base, base + RECENT):
            below += recent[j] < recent[i]
            equal += recent[j] == recent[i]
        if below <= RECENT // 2 < below + equal:
            return np.int64(recent[i])
    return 0


@part_kernel
def _judge(waits, servers, server, recent, whose, base, transaction, row, now, limits, hits, progress):
    """Whether a shift begins, goes on or ends; returns whether it has become what is usual."""
    slow, clients = 0, np.uint64(0)
    for i in range(base, base + RECENT):
        if recent[i] > waits["high"]:
            slow += 1
            clients |= _ONE << np.uint64(whose[i])
    if waits["since_now"] == 0:
        least = np.int64(limits[Threshold.CLIENTS])
        enough = _is_enough(clients, least) or not _is_enough(waits["everyone"], least)
        if slow >= SLOW and enough:
            waits["since_now"] = now
            waits["since_ts"] = transaction["ts"]
            waits["slow"] = slow
            waits["server"] = server
        return False
    lasted = now - np.int64(waits["since_now"])
    if slow < CALM:
        _end(waits, servers)
    elif lasted >= limits[Threshold.ADOPT_NS]:
        return True
    elif lasted >= limits[Threshold.LASTING_NS] and now - waits["reported_now"] >= limits[Threshold.REPORT_NS]:
        if waits["reported_now"] == 0:
            servers[server]["told"] += 1
        waits["reported_now"] = now
        hit = hits[progress[Progress.HITS]]
        progress[Progress.HITS] += 1
        hit["row"] = row
        hit["since_now"], hit["since_ts"] = waits["since_now"], waits["since_ts"]
        hit["held"], hit["usual"], hit["high"] = _median(recent, base), waits["usual"], waits["high"]
        hit["slow"], hit["slow_held"] = waits["slow"], slow
        hit["endpoints"] = servers[server]["told"]
        count = 0
        while clients != 0:
            clients &= clients - _ONE
            count += 1
        hit["clients"] = count
    return False


@inline_kernel
def _wait_of(transaction):
    """Microseconds from the end of the request to the answer, -1 when they tell nothing."""
    status = np.int64(transaction["status_code"])
    asked, answered = np.int64(transaction["request_end_ts"]), np.int64(transaction["response_ts"])
    if status < 200 or status >= 400 or asked == 0 or answered < asked:
        return -1
    return (answered - asked) // 1_000 if transaction["anomalies"] & np.uint64(LOST) == 0 else -1


@inline_kernel
def _ask(entities, row, table, recent, whose, histograms):
    """Ask for what the waits of later rows will read: of an endpoint, and halfway to it where it counts what it held
    longest.
    """
    if row + FAR_AHEAD < len(entities):
        later = np.int64(entities[row + FAR_AHEAD]["endpoint"])
        prefetch(table, later)
        prefetch(recent, later * RECENT)
        prefetch(whose, later * RECENT)
    if row + FAR_AHEAD // 2 < len(entities):
        sooner = np.int64(entities[row + FAR_AHEAD // 2]["endpoint"])
        held = np.int64(recent[sooner * RECENT + np.int64(table[sooner]["place"])])
        prefetch(histograms, sooner * BINS + held)


@kernel
def find_shifts(
    transactions: TRANSACTION, entities: ENTITIES, start: int,
    table: WAITS, recent: Bytes, whose: Bytes, histograms: I32s, generations: U32s,
    servers: SLOW_SERVER, server_generations: U32s, limits: F64s, hits: HIT, progress: I64s,
) -> int:  # fmt: skip
    """Look at transactions from row `start` on; returns the row to go on with. Of each endpoint `recent` and `whose`
    have RECENT items, bins and clients, and `histograms` BINS.
    """
    progress[Progress.HITS] = 0
    for row in range(start, len(transactions)):
        progress[Progress.ROW] = row
        if progress[Progress.HITS] == len(hits):
            return row
        _ask(entities, row, table, recent, whose, histograms)
        entity = entities[row]
        endpoint = np.int64(entity["endpoint"])
        if endpoint == 0:
            continue
        transaction = transactions[row]
        microseconds = _wait_of(transaction)
        if microseconds < 0:
            continue
        waits = table[endpoint]
        now = np.int64(transaction["now"])
        if waits["generation"] != generations[endpoint]:
            _begin(waits, servers, histograms, endpoint * BINS, generations[endpoint])
            waits["held"], waits["place"], waits["step"] = 0, 0, -1
        if waits["step"] != now // STEP_NS:
            waits["step"] = now // STEP_NS
            waits["clients"] = 0
            waits["folded"] = 0
        client = np.int64(entity["client"]) & 63
        if waits["clients"] & (_ONE << np.uint64(client)) != 0:
            continue
        waits["clients"] |= _ONE << np.uint64(client)
        server = np.int64(entity["server"])
        if servers[server]["generation"] != server_generations[server]:
            servers[server]["generation"] = server_generations[server]
            servers[server]["told"] = 0
        base, place = endpoint * RECENT, np.int64(waits["place"])
        least = limits[Threshold.ANSWERS]
        if waits["held"] < RECENT:
            waits["held"] += 1
        elif waits["since_now"] == 0 and (waits["folded"] < FOLDED_MAX or waits["known"] < least):
            old, by = np.int64(recent[base + place]), np.int64(whose[base + place])
            _fold(waits, histograms, endpoint * BINS, old, by, limits)
        wait = bin_of(microseconds)
        recent[base + place], whose[base + place] = wait, client
        waits["place"] = (place + 1) % RECENT
        if waits["known"] < least or (waits["since_now"] == 0 and wait <= waits["high"]):
            continue
        if waits["since_now"] != 0 and wait > waits["high"]:
            waits["slow"] += 1
        if _judge(waits, servers, server, recent, whose, base, transaction, row, now, limits, hits, progress):
            _begin(waits, servers, histograms, endpoint * BINS, generations[endpoint])
    return len(transactions)
