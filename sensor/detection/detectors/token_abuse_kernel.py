"""How tokens are used: in: transactions with their entities; out: rows of hits.

A session is what is known of one credential: where it lives (address and software: user agent and header order), since
when, whether it was logged out. A token that changes its address with its software (a phone that moves) takes its place
along; a second place with other software, used in turns with the first, is a second holder. The one law: only what a
server accepted counts, and what needs a credential is learned from the answers: nobody is served there without one.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import F64s, I64s, U32s, U64s, inline_kernel, kernel, part_kernel
from sensor.schema import TRANSACTION, Anomaly, TokenFlag, TransactionFlag
from sensor.structures.entity_ahead import ask_for_rows
from sensor.structures.entity_table_kernels import ENTITY, hash_key, touch_hashed
from sensor.structures.entity_tables import ENTITIES, IdentityKind
from sensor.structures.prefetch import prefetch
from sensor.structures.string_pool_kernels import ENTRY

_ZERO = np.uint64(0)
_ORDER = np.uint64(0xFFFFFFFF)
_CUT = np.uint64(Anomaly.REQUEST_GAP | Anomaly.HEAD_TOO_LARGE)
"""Of requests whose credentials may not have been seen."""
_ISSUED_WITH = TransactionFlag.LOGIN | TransactionFlag.REFRESH | TransactionFlag.LOGOUT
OWNER, OTHER = 0, 1

PLACE = [("hi", "u8"), ("lo", "u8"), ("agent", "u8"), ("order", "u8"), ("last_now", "i8"), ("first_ts", "i8")]
SESSION = np.dtype(
    [
        *[(f"owner_{name}", kind) for name, kind in PLACE],
        *[(f"other_{name}", kind) for name, kind in PLACE],
        ("first_now", "i8"),
        ("logout_now", "i8"),     # 0 while it was not logged out
        ("reported_now", "i8"),
        ("run_now", "i8"),        # packet time at which the second holder was told, 0 before
        ("uses", "i4"),
        ("other_uses", "i4"),
        ("switches", "i4"),       # times that use went from one place to the other
        ("told", "u2"),           # bit of each rule that was told of it
        ("place", "u1"),          # OWNER or OTHER: used last
    ],
    align=True,
)
GUARD = np.dtype([("generation", "u4"), ("open", "u4"), ("served", "u4"), ("refused", "u4")], align=True)
"""Of an endpoint: answers without a credential, with one, and refusals (401)."""
HOLDER = np.dtype([("generation", "u4"), ("credentials", "u4")], align=True)
"""Of a client: credentials seen from it."""
RIGHTS = np.dtype(
    [("generation", "u4"), ("uses", "u4"), ("role", "u8"), ("before", "u8")], align=True
)
"""Of an account: the role of its tokens, and the one before."""
HIT = np.dtype(
    [("row", "i8"), ("rule", "i8"), ("run_now", "i8"), ("first_ts", "i8"), ("observed", "f8"), ("count", "i8"),
     ("first_hi", "u8"), ("first_lo", "u8"), ("first_order", "u8"), ("order", "u8"), ("same_agent", "i8")]
)  # fmt: skip


class Told(IntEnum):
    """The rules, in the order of the detector's."""

    SHARED = 0
    EXPIRED = 1
    UNSIGNED = 2
    LOGGED_OUT = 3
    ENDLESS = 4
    LONG = 5
    ROLE = 6
    IN_URL = 7


class Threshold(IntEnum):
    WINDOW_NS = 0
    SWITCHES = 1
    RELAY = 2          # credentials of a client from which on it is a relay
    LEEWAY_NS = 3
    TOKEN_SECONDS = 4
    SESSION_NS = 5
    GUARDED = 6        # answers with a credential, and none without, from which on an endpoint needs one
    ROLE_USES = 7
    REPORT_NS = 8
    LOGOUT_NS = 9


class Progress(IntEnum):
    ROW = 0
    HITS = 1


@inline_kernel
def _hit(hits, progress, session, row, rule, observed, count, first_ts, run_now):
    session["told"] = session["told"] | (1 << rule)
    hit = hits[progress[Progress.HITS]]
    hit["row"] = row
    hit["rule"] = rule
    hit["run_now"] = run_now
    hit["first_ts"] = first_ts
    hit["observed"] = observed
    hit["count"] = count
    hit["first_hi"], hit["first_lo"] = session["owner_hi"], session["owner_lo"]
    hit["first_order"], hit["order"] = session["owner_order"], session["other_order"]
    hit["same_agent"] = session["owner_agent"] == session["other_agent"]
    progress[Progress.HITS] += 1


@inline_kernel
def _new_holder(holders, client, generations):
    """One more credential was seen from a client."""
    holder = holders[client]
    if holder["generation"] != generations[client]:
        holder["generation"] = generations[client]
        holder["credentials"] = 0
    holder["credentials"] += 1


@inline_kernel
def _begin(session, transaction, agent, now):
    session["owner_hi"], session["owner_lo"] = transaction["client_hi"], transaction["client_lo"]
    session["owner_agent"] = agent
    session["owner_order"] = transaction["stack"] & _ORDER
    session["owner_last_now"] = now
    session["owner_first_ts"] = transaction["ts"]
    session["first_now"] = now
    session["logout_now"] = 0
    session["reported_now"] = 0
    session["run_now"] = 0
    session["uses"] = 0
    session["other_uses"] = 0
    session["switches"] = 0
    session["told"] = 0
    session["place"] = OWNER


@inline_kernel
def _same_client(hi, lo, transaction):
    """One address; for IPv6 one /64."""
    return hi == transaction["client_hi"] and (lo == transaction["client_lo"] or hi != 0)


@inline_kernel
def _same_software(agent, order, other_agent, other_order):
    return agent == other_agent and (order == other_order or order == 0 or other_order == 0)


@inline_kernel
def _switch(session, place):
    if session["place"] != place:
        session["place"] = place
        session["switches"] += 1


@inline_kernel
def _is_third(session, transaction):
    """Whether the credential is used at a place that is neither its owner's nor the other one's, which are two."""
    hi, lo = session["other_hi"], session["other_lo"]
    apart = session["owner_hi"] != hi or (hi == 0 and session["owner_lo"] != lo)
    return apart and not _same_client(hi, lo, transaction)


@part_kernel
def locate(session, transaction, agent, now, window_ns):
    """Note where the credential is used now; returns whether that is a place that was not known."""
    order = transaction["stack"] & _ORDER
    if _same_software(session["owner_agent"], session["owner_order"], agent, order):
        moved = not _same_client(session["owner_hi"], session["owner_lo"], transaction)
        if moved:
            session["owner_hi"], session["owner_lo"] = transaction["client_hi"], transaction["client_lo"]
            session["switches"] = 0
        session["owner_last_now"] = now
        _switch(session, OWNER)
        return moved
    held = session["other_uses"] > 0 and now - session["other_last_now"] <= window_ns
    if held and _same_software(session["other_agent"], session["other_order"], agent, order):
        moved = not _same_client(session["other_hi"], session["other_lo"], transaction)
        if moved:
            session["other_hi"], session["other_lo"] = transaction["client_hi"], transaction["client_lo"]
            session["switches"] = 0
        session["other_last_now"] = now
        session["other_uses"] += 1
        _switch(session, OTHER)
        return moved
    one_more = held and _is_third(session, transaction)
    session["other_hi"], session["other_lo"] = transaction["client_hi"], transaction["client_lo"]
    session["other_agent"], session["other_order"] = agent, order
    session["other_last_now"] = now
    session["other_uses"] = session["other_uses"] + 1 if one_more else 1
    session["place"] = OTHER
    session["switches"] = session["switches"] + 1 if one_more else 1
    if not one_more:
        session["other_first_ts"] = transaction["ts"]
        session["run_now"] = 0
    return True


@inline_kernel
def _is_shared(session, limits):
    """Whether both places were used in turns, and are two."""
    apart = session["owner_hi"] != session["other_hi"] or (
        session["owner_hi"] == 0 and session["owner_lo"] != session["other_lo"]
    )
    return session["other_uses"] > 0 and session["switches"] >= limits[Threshold.SWITCHES] and apart


@inline_kernel
def guard_of(guards, endpoint, generations):
    guard = guards[endpoint]
    if guard["generation"] != generations[endpoint]:
        guard["generation"] = generations[endpoint]
        guard["open"] = 0
        guard["served"] = 0
        guard["refused"] = 0
    return guard


@inline_kernel
def _is_guarded(guard, limits):
    return guard["open"] == 0 and (guard["refused"] > 0 or guard["served"] >= limits[Threshold.GUARDED])


@inline_kernel
def _note_guard(guard, user, status):
    if 200 <= status < 300:
        if user == 0:
            guard["open"] += 1
        else:
            guard["served"] += 1
    elif status == 401:
        guard["refused"] += 1


@inline_kernel
def _note_role(rights, identity, generations, role, limits):
    """Whether an account whose role is known has another one now, for the first time."""
    known = rights[identity]
    if known["generation"] != generations[identity]:
        known["generation"] = generations[identity]
        known["uses"] = 0
        known["role"] = role
        known["before"] = _ZERO
    if known["role"] == role:
        known["uses"] += 1
        return False
    fresh = known["before"] == 0 and known["uses"] >= limits[Threshold.ROLE_USES]
    if known["before"] != role and known["uses"] < limits[Threshold.ROLE_USES]:
        known["role"] = role
        return False
    known["before"] = known["role"]
    known["role"] = role
    known["uses"] = 1
    return fresh


@part_kernel
def _judge(session, transaction, row, guarded, status, now, limits, hits, progress):
    """What is wrong with this one use of a token."""
    flags = np.int64(transaction["token_flags"])
    told = np.int64(session["told"])
    ts = transaction["ts"]
    if status >= 300:
        return
    late = ts - np.int64(transaction["token_expires"])
    if (
        guarded and flags & TokenFlag.EXPIRED != 0 and late > limits[Threshold.LEEWAY_NS]
        and told & (1 << Told.EXPIRED) == 0
    ):  # fmt: skip
        _hit(hits, progress, session, row, Told.EXPIRED, late / 1e9, 1, ts, now)
    if guarded and flags & TokenFlag.UNSIGNED != 0 and told & (1 << Told.UNSIGNED) == 0:
        _hit(hits, progress, session, row, Told.UNSIGNED, 1.0, 1, ts, now)
    out = np.int64(session["logout_now"])
    if guarded and out > 0 and now - out > limits[Threshold.LOGOUT_NS] and told & (1 << Told.LOGGED_OUT) == 0:
        _hit(hits, progress, session, row, Told.LOGGED_OUT, (now - out) / 1e9, 1, ts, now)
    seconds = np.int64(transaction["token_seconds"])
    endless = flags & TokenFlag.ENDLESS != 0 or seconds > limits[Threshold.TOKEN_SECONDS]
    if guarded and flags & TokenFlag.JWT != 0 and endless and told & (1 << Told.ENDLESS) == 0:
        _hit(hits, progress, session, row, Told.ENDLESS, np.float64(seconds), 1, ts, now)
    age = now - np.int64(session["first_now"])
    long = age > limits[Threshold.SESSION_NS] and flags & TokenFlag.COOKIE != 0
    if long and told & (1 << Told.LONG) == 0:
        _hit(hits, progress, session, row, Told.LONG, age / 1e9, 1, ts, now)
    if guarded and flags & TokenFlag.IN_URL != 0 and told & (1 << Told.IN_URL) == 0:
        _hit(hits, progress, session, row, Told.IN_URL, 1.0, 1, ts, now)


@part_kernel
def _look_ahead(transactions, entities, start, table, slots, seeds, sessions, guards, hashes):
    """Hash the credentials of the transactions from row `start` on, as many as `hashes` has room for, and ask for their
    sessions and for what is known of their endpoints; returns the row to look ahead from next.
    """
    stop = min(start + len(hashes), len(transactions))
    for row in range(start, stop):
        prefetch(guards, np.int64(entities[row]["endpoint"]))
        hashes[row - start] = hash_key(seeds, transactions[row]["user"], _ZERO, _ZERO, _ZERO)
    ask_for_rows(table, slots, sessions, hashes, stop - start)
    return stop


@kernel
def find_abuse(
    transactions: TRANSACTION, entities: ENTITIES, strings: ENTRY, start: int,
    table: ENTITY, slots: U64s, use: I64s, seeds: U64s, sessions: SESSION,
    guards: GUARD, endpoint_generations: U32s, holders: HOLDER, client_generations: U32s,
    rights: RIGHTS, identity_generations: U32s, limits: F64s, hashes: U64s, hits: HIT, progress: I64s,
) -> int:  # fmt: skip
    """Look at transactions from row `start` on; returns the row to go on with. `hashes` is room for AHEAD."""
    progress[Progress.HITS] = 0
    ahead = first = start
    for row in range(start, len(transactions)):
        progress[Progress.ROW] = row
        if len(hits) - progress[Progress.HITS] < 8:
            return row
        if row == ahead:
            first = row
            ahead = _look_ahead(transactions, entities, row, table, slots, seeds, sessions, guards, hashes)
        transaction = transactions[row]
        entity = entities[row]
        status = np.int64(transaction["status_code"])
        user = transaction["user"]
        guard = guard_of(guards, np.int64(entity["endpoint"]), endpoint_generations)
        guarded = _is_guarded(guard, limits)
        if user == 0 or status < 200 or status >= 400:
            if user != 0 or transaction["anomalies"] & _CUT == 0:
                _note_guard(guard, user, status)
            continue
        now = np.int64(transaction["now"])
        agent = strings[np.int64(transaction["user_agent"])]["hash"]
        touched = touch_hashed(table, slots, use, hashes[row - first], user, _ZERO, _ZERO, _ZERO)
        session_row = touched if touched >= 0 else -1 - touched
        session = sessions[session_row]
        client = np.int64(entity["client"])
        if touched < 0:
            _begin(session, transaction, agent, now)
            _new_holder(holders, client, client_generations)
        session["uses"] += 1
        if locate(session, transaction, agent, now, np.int64(limits[Threshold.WINDOW_NS])):
            _new_holder(holders, client, client_generations)
        flags = np.int64(transaction["flags"])
        if session["place"] == OTHER and _is_shared(session, limits):
            due = session["run_now"] == 0 or now - session["reported_now"] >= limits[Threshold.REPORT_NS]
            relay = holders[client]["credentials"] >= limits[Threshold.RELAY]
            if due and not relay:
                if session["run_now"] == 0:
                    session["run_now"] = now
                session["reported_now"] = now
                uses, begun = np.int64(session["other_uses"]), np.int64(session["other_first_ts"])
                switches = np.float64(session["switches"])
                run_now = np.int64(session["run_now"])
                _hit(hits, progress, session, row, Told.SHARED, switches, uses, begun, run_now)
        if flags & _ISSUED_WITH == 0:
            _judge(session, transaction, row, guarded, status, now, limits, hits, progress)
            _note_guard(guard, user, status)
        elif flags & TransactionFlag.LOGOUT != 0 and session["logout_now"] == 0:
            session["logout_now"] = now
        if transaction["role"] != 0 and entity["identity_kind"] == IdentityKind.SUBJECT:
            identity = np.int64(entity["identity"])
            if _note_role(rights, identity, identity_generations, transaction["role"], limits):
                ts = np.int64(transaction["ts"])
                _hit(hits, progress, session, row, Told.ROLE, 1.0, 1, ts, now)
    return len(transactions)
