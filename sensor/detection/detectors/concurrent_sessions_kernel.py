"""How many places an account is used from at once: in: transactions with their entities; out: rows at which that is too
many.

Of each account that changes its credential the last ones are held, with the network and the software that each is used
from; of all others only the one they have. A credential counts once it has come back several times after others were
used: one that takes another's place (a renewed token, a phone that moves) never does. The one law: places differ from
each other in network and in software both, so that the devices of one household, and the replicas of one program, are
one place.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import Bytes, F64s, I64s, U32s, U64s, inline_kernel, kernel, part_kernel
from sensor.schema import TRANSACTION, TransactionFlag
from sensor.structures.entity_table_kernels import ENTITY, find, touch
from sensor.structures.entity_tables import ENTITIES, IdentityKind
from sensor.structures.string_pool_kernels import ENTRY
from sensor.structures.word_search import has_word

HELD = 5
"""Credentials held of an account."""
AGENTS = 4
"""Kinds of software remembered of an account."""
_ZERO, _LOW = np.uint64(0), np.uint64(0xFFFFFFFF)
_V4 = np.uint64(1 << 63)
_DAY_SECONDS = 86_400
_LOOK_SECONDS = 10
"""A place that goes on is looked at again after so long."""
_PASSING = TransactionFlag.LOGIN | TransactionFlag.REFRESH | TransactionFlag.LOGOUT

SEAT = np.dtype(
    [
        ("network", "u8"),
        ("credential", "u4"),
        ("agent", "u4"),
        ("last", "u4"),    # seconds since 1970; 0 when nobody sits here
        ("begun", "u4"),
        ("turns", "u2"),   # times that it came back after another credential
        ("browser", "u1"),
    ],
    align=True,
)
"""One credential of an account."""
HOLDER = np.dtype(
    [
        ("generation", "u4"),
        ("credential", "u4"),     # that was used last
        ("looked", "u4"),         # when that was looked at last, seconds since 1970
        ("agent", "u4"),
        ("agent_day", "u2"),      # on which this software was first seen
        ("day", "u2"),            # since 1970
        ("days", "u2"),           # with uses, before this one
    ],
    align=True,
)
"""What is kept of every identity."""
ACCOUNT = np.dtype(
    [
        ("seat", "i4"),           # that was used last
        ("day", "i4"),
        ("peak", "i4"),           # most places at once, on those days
        ("peak_today", "i4"),
        ("told_days", "i4"),      # on which more than `peak` was told of
        ("told_day", "i4"),
        ("reported", "u4"),       # seconds since 1970
        ("run", "u4"),
        ("next_agent", "i4"),
        ("agents", "u4", (AGENTS,)),
        ("agent_days", "i4", (AGENTS,)),
    ],
    align=True,
)
HIT = np.dtype(
    [("row", "i8"), ("places", "i8"), ("credentials", "i8"), ("peak", "i8"), ("days", "i8"), ("threshold", "i8"),
     ("run", "i8"), ("begun", "i8"), ("networks", "u8", (HELD,))]
)  # fmt: skip


class Threshold(IntEnum):
    PLACES = 0
    WINDOW_SECONDS = 1
    TURNS = 2
    KNOWN_DAYS = 3
    REPORT_SECONDS = 4


class Progress(IntEnum):
    ROW = 0
    HITS = 1


@inline_kernel
def network_of(hi, lo):
    """The /24 of an IPv4 address, marked as such, or the /48 of an IPv6 address."""
    return _V4 | (lo >> np.uint64(8) & np.uint64(0xFFFFFF)) if hi == 0 else hi >> np.uint64(16)


@inline_kernel
def _begin_holder(holder, generation, day):
    holder["generation"] = generation
    holder["credential"] = 0
    holder["looked"] = 0
    holder["agent"] = 0
    holder["day"] = day
    holder["days"] = 0


@part_kernel
def _begin(account, seats, base, holder, credential, looked):
    """An account that has a second credential: what is known of it, and of the first one, until now."""
    account["seat"] = 0
    account["day"] = -1
    account["peak"] = 0
    account["peak_today"] = 0
    account["told_days"] = 0
    account["told_day"] = -1
    account["reported"] = 0
    account["run"] = 0
    account["next_agent"] = 1
    for i in range(AGENTS):
        account["agents"][i] = 0
    account["agents"][0], account["agent_days"][0] = holder["agent"], holder["agent_day"]
    for i in range(base, base + HELD):
        seats[i]["last"] = 0
        seats[i]["turns"] = 0
    seats[base]["credential"] = credential
    seats[base]["last"], seats[base]["begun"] = looked, looked


@inline_kernel
def _new_day(account, day):
    """What was usual takes in the day that is over; what was told of only once it has come back on other days."""
    if account["day"] >= 0:
        told = account["told_day"] == account["day"]
        account["told_days"] += told
        if account["peak_today"] > account["peak"] and (not told or account["told_days"] >= 3):
            account["peak"] = account["peak_today"]
            account["told_days"] = 0
    account["day"] = day
    account["peak_today"] = 0


@part_kernel
def _day_of_agent(account, agent, day):
    """The day on which this software was first seen with the account."""
    for i in range(AGENTS):
        if account["agents"][i] == agent:
            return np.int64(account["agent_days"][i])
    place = np.int64(account["next_agent"])
    account["agents"][place], account["agent_days"][place] = agent, day
    account["next_agent"] = (place + 1) % AGENTS
    return day


@part_kernel
def _seat_of(account, seats, base, credential, second):
    """Where the credential sits; it takes the place of the one not used for longest when it has none."""
    oldest = base
    for i in range(base, base + HELD):
        if seats[i]["last"] != 0 and seats[i]["credential"] == credential:
            if account["seat"] != i - base and seats[i]["turns"] < 1_000:
                seats[i]["turns"] += 1
            return i
        if seats[i]["last"] < seats[oldest]["last"]:
            oldest = i
    seats[oldest]["credential"] = credential
    seats[oldest]["agent"] = 0
    seats[oldest]["turns"] = 0
    seats[oldest]["begun"] = second
    return oldest


@inline_kernel
def _is_alive(seat, second, limits):
    return seat["last"] != 0 and second - seat["last"] <= limits[Threshold.WINDOW_SECONDS] and (
        seat["turns"] >= limits[Threshold.TURNS]
    )  # fmt: skip


@part_kernel
def _places(seats, base, current, second, limits):
    """How many places are in use, 0 unless `current` is one that came after another."""
    networks, software, first = 0, 0, current
    for i in range(base, base + HELD):
        one = seats[i]
        if not _is_alive(one, second, limits):
            continue
        if one["begun"] < seats[first]["begun"]:
            first = i
        new_network, new_software = 1, 1
        for j in range(base, i):
            other = seats[j]
            if _is_alive(other, second, limits):
                same_network = other["network"] == one["network"]
                if same_network:
                    new_network = 0
                if other["agent"] == one["agent"] and (same_network or one["browser"] == 0):
                    new_software = 0
        networks += new_network
        software += new_software
    return min(networks, software) if first != current else 0


@inline_kernel
def _too_many(account, days, is_new, limits):
    """From how many places on it is too many: fewer for an account that was always in one, with software that is new.
    """
    least = np.int64(limits[Threshold.PLACES])
    if days < limits[Threshold.KNOWN_DAYS]:
        return least
    if account["peak"] <= 1 and is_new:
        return 2
    return max(least, 2 * np.int64(account["peak"]))


@part_kernel
def _report(hits, progress, account, days, seats, base, seat, row, places, threshold, second, limits):
    account["reported"] = second
    if account["told_day"] != account["day"]:
        account["told_day"] = account["day"]
        account["run"] = second
    hit = hits[progress[Progress.HITS]]
    progress[Progress.HITS] += 1
    hit["row"], hit["places"], hit["threshold"] = row, places, threshold
    hit["peak"], hit["days"] = account["peak"], days
    hit["run"], hit["begun"] = account["run"], seats[seat]["begun"]
    credentials = 0
    for i in range(HELD):
        hit["networks"][i] = _ZERO
    for i in range(base, base + HELD):
        if _is_alive(seats[i], second, limits):
            hit["networks"][credentials] = seats[i]["network"]
            credentials += 1
    hit["credentials"] = credentials


@part_kernel
def _is_another(holder, credential, agent, second, day):
    """Note a use that is looked at; whether it is of another credential than the one before."""
    if holder["day"] != day:
        holder["day"] = day
        holder["days"] += 1
    another = holder["looked"] != 0 and holder["credential"] != credential
    if not another and holder["agent"] != agent:
        holder["agent"], holder["agent_day"] = agent, day
    holder["credential"], holder["looked"] = credential, second
    return another


@part_kernel
def _sit(account, seats, base, credential, network, agent, second):
    """Where the credential sits now; its seat."""
    place = _seat_of(account, seats, base, credential, second)
    seat = seats[place]
    seat["last"] = second
    seat["network"] = network
    seat["agent"] = agent
    return place


@kernel
def find_sessions(
    transactions: TRANSACTION, entities: ENTITIES, start: int, strings: ENTRY, pool_bytes: Bytes,
    holders: HOLDER, generations: U32s, table: ENTITY, slots: U64s, use: I64s, seeds: U64s,
    accounts: ACCOUNT, seats: SEAT, browsers: U64s, limits: F64s, hits: HIT, progress: I64s,
) -> int:  # fmt: skip
    """Look at transactions from row `start` on; returns the row to go on with. `accounts` are those of the table's
    rows, each with HELD `seats`.
    """
    progress[Progress.HITS] = 0
    for row in range(start, len(transactions)):
        progress[Progress.ROW] = row
        if progress[Progress.HITS] == len(hits):
            return row
        entity = entities[row]
        transaction = transactions[row]
        status = np.int64(transaction["status_code"])
        if entity["identity_kind"] != IdentityKind.SUBJECT or status < 200 or status >= 400:
            continue
        if transaction["user"] == 0 or np.int64(transaction["flags"]) & _PASSING != 0:
            continue
        identity = np.int64(entity["identity"])
        holder = holders[identity]
        second = np.int64(transaction["now"]) // 1_000_000_000
        credential = np.int64(transaction["user"] & _LOW)
        day = second // _DAY_SECONDS
        if holder["generation"] != generations[identity]:
            _begin_holder(holder, generations[identity], day)
        if holder["credential"] == credential and second - holder["looked"] < _LOOK_SECONDS:
            continue
        entry = strings[np.int64(transaction["user_agent"])]
        agent = np.int64(entry["hash"] & _LOW) | 1
        former, looked = np.int64(holder["credential"]), np.int64(holder["looked"])
        another = _is_another(holder, credential, agent, second, day)
        key = np.uint64(identity) | np.uint64(generations[identity]) << np.uint64(32)
        touched = find(table, slots, seeds, key, _ZERO, _ZERO, _ZERO)
        if touched < 0:
            if not another:
                continue
            touched = -1 - touch(table, slots, use, seeds, key, _ZERO, _ZERO, _ZERO)
            _begin(accounts[touched], seats, touched * HELD, holder, former, looked)
        else:
            touch(table, slots, use, seeds, key, _ZERO, _ZERO, _ZERO)
        account, base = accounts[touched], touched * HELD
        if account["day"] != day:
            _new_day(account, day)
        before = np.int64(account["seat"])
        network = network_of(transaction["client_hi"], transaction["client_lo"])
        place = _sit(account, seats, base, credential, network, agent, second)
        account["seat"] = place - base
        begin = np.int64(entry["start"])
        seats[place]["browser"] = has_word(pool_bytes, begin, begin + min(np.int64(entry["length"]), 8), browsers)
        known_since = _day_of_agent(account, agent, day)
        if before == place - base or seats[place]["turns"] < limits[Threshold.TURNS]:
            continue
        places = _places(seats, base, place, second, limits)
        account["peak_today"] = max(account["peak_today"], places)
        days = np.int64(holder["days"])
        threshold = _too_many(account, days, known_since == day, limits)
        if places >= threshold and second - account["reported"] >= limits[Threshold.REPORT_SECONDS]:
            _report(hits, progress, account, days, seats, base, place, row, places, threshold, second, limits)
    return len(transactions)
