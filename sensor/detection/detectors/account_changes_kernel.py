"""Where and with what an identity works: in: transactions with their entities; out: rows at which that changes.

Of each identity the last clients and kinds of software are remembered, a few of each, so that one who goes back and
forth between two changes nothing. The one law: a row is given back when its client, or its software, is not among them.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import Bytes, I64s, U32s, U64s, inline_kernel, kernel, part_kernel
from sensor.schema import TRANSACTION
from sensor.structures.entity_table_kernels import ENTITY, touch
from sensor.structures.entity_tables import ENTITIES, IdentityKind
from sensor.structures.hashing import mix
from sensor.structures.prefetch import FAR_AHEAD, prefetch
from sensor.structures.string_pool_kernels import ENTRY
from sensor.structures.word_search import has_word

_ZERO, _ONE = np.uint64(0), np.uint64(1)
_LOW = np.uint64(0xFFFFFFFF)
_AGENT_BYTES = 256
PLACES = 4
"""Clients, and kinds of software, remembered of an identity."""

HABITS = np.dtype(
    [
        ("last_ts", "i8"),
        ("places", "u8", (PLACES,)),   # clients: see _place_of
        ("agents", "u4", (PLACES,)),   # the lower half of the hash of a User-Agent
        ("families", "u4", (PLACES,)),
        ("generation", "u4"),
        ("uses", "u4"),
        ("classes", "u1"),       # bits of the kinds of software so far: Software
        ("next_client", "u1"),   # which of the clients gives way next
        ("next_agent", "u1"),
        ("next_family", "u1"),
        ("known", "u1"),         # how many clients are remembered
        ("last", "i1"),          # which client was last
    ],
    align=True,
)
HIT = np.dtype(
    [("row", "i8"), ("change", "i8"), ("uses", "i8"), ("before_ts", "i8"), ("last", "i8"), ("clients", "i8"),
     ("before", "i8"), ("others", "i8"), ("people", "i8"),
     ("his", "u8", (PLACES,)), ("los", "u8", (PLACES,))]
)  # fmt: skip


class Software(IntEnum):
    BROWSER = 1
    TOOL = 2     # a command line or a programming language's library
    OTHER = 4


class Change(IntEnum):
    CLIENT = 1
    TOOL = 2     # a tool, where there were only browsers
    AGENT = 4    # software of a kind that is new for the identity, which had others


class Located(IntEnum):
    """What of clients is of use."""

    CHANGES = 1
    FIRST = 2    # the first one too


class Progress(IntEnum):
    ROW = 0
    HITS = 1


@part_kernel
def software_of(data, start, stop, browsers, tools):
    """What kind of software a User-Agent names."""
    if has_word(data, start, min(stop, start + 8), browsers):
        return np.int64(Software.BROWSER)
    return np.int64(Software.TOOL) if stop == start or has_word(data, start, stop, tools) else np.int64(Software.OTHER)


@inline_kernel
def _place_of(hi, lo):
    """A client in one word: the /64 of an IPv6 client, or the lower half of an IPv4 client's address, which is below
    2**48 as no /64 in use is.
    """
    return hi if hi != 0 else lo


@inline_kernel
def _begin(habits, generation):
    habits["generation"] = generation
    habits["uses"] = 0
    habits["classes"] = 0
    habits["next_client"] = 0
    habits["next_agent"] = 0
    habits["known"] = 0
    habits["last_ts"] = 0
    habits["last"] = -1
    habits["next_family"] = 0
    for i in range(PLACES):
        habits["agents"][i] = 0
        habits["families"][i] = 0


@inline_kernel
def _client_at(habits, client):
    """Which of the remembered clients this is, -1 when it is none of them."""
    for i in range(np.int64(habits["known"])):
        if habits["places"][i] == client:
            return i
    return -1


@inline_kernel
def _put_client(habits, client):
    place = np.int64(habits["next_client"])
    habits["places"][place] = client
    habits["next_client"] = (place + 1) % PLACES
    habits["known"] = min(np.int64(habits["known"]) + 1, PLACES)
    return place


@inline_kernel
def _knows_agent(habits, agent):
    known = False
    for i in range(PLACES):
        known |= habits["agents"][i] == agent
    return known


@inline_kernel
def _put_agent(habits, agent):
    place = np.int64(habits["next_agent"])
    habits["agents"][place] = agent
    habits["next_agent"] = (place + 1) % PLACES


@part_kernel
def family_of(data, start, stop):
    """A hash of the words of a User-Agent: what is in parentheses (the machine), digits and signs are left out, so that
    a newer version, or another telephone, is the same software.
    """
    family, depth = _ONE, 0
    for position in range(start, min(stop, start + _AGENT_BYTES)):
        byte = np.int64(data[position])
        if byte == 40:
            depth += 1
        elif byte == 41:
            depth -= 1
        elif depth <= 0 and 97 <= byte | 0x20 <= 122:
            family = mix(family, np.uint64(byte | 0x20))
    return family & np.uint64(0xFFFFFFFF) | _ONE


@part_kernel
def _put_family(habits, family):
    """Remember a family; 0 when it was known, 1 when it is new, 2 when it is the first."""
    fresh = True
    for i in range(PLACES):
        if habits["families"][i] == family:
            return 0
        fresh &= habits["families"][i] == 0
    place = np.int64(habits["next_family"])
    habits["next_family"] = (place + 1) % PLACES
    habits["families"][place] = family
    return 2 if fresh else 1


@part_kernel
def _count(transaction, family, more, table, slots, use, seeds, people):
    """How many accounts of the server had software of this family, which is 0 for the accounts themselves; now `more`
    have.
    """
    port = mix(transaction["server_hi"], np.uint64(transaction["server_port"]))
    row = touch(table, slots, use, seeds, transaction["server_lo"], port, family, _ZERO)
    if row < 0:
        row = -1 - row
        people[row] = 0
    before = np.int64(people[row])
    people[row] = before + more
    return before


@inline_kernel
def _report(hits, progress, habits, row, change, before, others, people):
    hit = hits[progress[Progress.HITS]]
    hit["row"] = row
    hit["change"] = change
    hit["uses"] = habits["uses"]
    hit["before_ts"] = habits["last_ts"]
    hit["last"] = habits["last"]
    hit["clients"] = habits["known"]
    hit["before"] = before
    hit["others"], hit["people"] = others, people
    for i in range(PLACES):
        place = habits["places"][i]
        hit["his"][i], hit["los"][i] = (_ZERO, place) if place >> np.uint64(48) == 0 else (place, _ZERO)
    progress[Progress.HITS] += 1


@kernel
def find_changes(
    transactions: TRANSACTION, entities: ENTITIES, start: int, strings: ENTRY, pool_bytes: Bytes,
    table: HABITS, generations: U32s, agents: ENTITY, slots: U64s, use: I64s, seeds: U64s, people: U32s,
    browsers: U64s, tools: U64s, uses_min: int, located: int, hits: HIT, progress: I64s,
) -> int:  # fmt: skip
    """Look at transactions from row `start` on; returns the row to go on with. `located` are bits of Located; `people`
    counts the accounts of each kind of software, and of each server, in the table `agents`.
    """
    progress[Progress.HITS] = 0
    for row in range(start, len(transactions)):
        progress[Progress.ROW] = row
        if progress[Progress.HITS] == len(hits):
            return row
        if row + FAR_AHEAD < len(entities):
            prefetch(table, np.int64(entities[row + FAR_AHEAD]["identity"]))
        transaction = transactions[row]
        entity = entities[row]
        status = np.int64(transaction["status_code"])
        if entity["identity_kind"] == IdentityKind.CLIENT or status < 200 or status >= 400:
            continue
        identity = np.int64(entity["identity"])
        habits = table[identity]
        if habits["generation"] != generations[identity]:
            _begin(habits, generations[identity])
        change, before, others, known = 0, np.int64(habits["classes"]), 0, 0
        client = _place_of(transaction["client_hi"], transaction["client_lo"])
        place = _client_at(habits, client)
        known_client = place >= 0
        if not known_client and located & (Located.CHANGES if habits["uses"] > 0 else Located.FIRST) != 0:
            change = np.int64(Change.CLIENT)
        entry = strings[np.int64(transaction["user_agent"])]
        agent = entry["hash"] & _LOW | _ONE
        if not _knows_agent(habits, agent):
            begin = np.int64(entry["start"])
            kind = software_of(pool_bytes, begin, begin + np.int64(entry["length"]), browsers, tools)
            enough = habits["uses"] >= uses_min
            if kind == Software.TOOL and before == Software.BROWSER and enough:
                change |= np.int64(Change.TOOL)
                before = np.int64(known_client)
            habits["classes"] |= np.uint8(kind)
            _put_agent(habits, agent)
            family = family_of(pool_bytes, begin, begin + np.int64(entry["length"]))
            news = _put_family(habits, family)
            if news != 0:
                others = _count(transaction, family, 1, agents, slots, use, seeds, people)
                if news == 2:
                    _count(transaction, _ZERO, 1, agents, slots, use, seeds, people)
                elif enough and change & Change.TOOL == 0:
                    known = _count(transaction, _ZERO, 0, agents, slots, use, seeds, people)
                    change |= np.int64(Change.AGENT)
        if change != 0:
            _report(hits, progress, habits, row, change, before, others, known)
        if not known_client:
            place = _put_client(habits, client)
        habits["last"] = place
        habits["last_ts"] = transaction["ts"]
        habits["uses"] += 1
    return len(transactions)
