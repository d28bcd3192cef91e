"""Logins as a whole: in: login transactions with their entities; out: rows of hits.

One record stands for whoever makes logins (a client, a kind of software of whatever version) or takes them (an
endpoint): failures, successes, lock-outs, and in bitmaps the different accounts that failed and that went well, and the
clients that failed, over a window of two halves. The one law: an account that fails and then goes well is a user who
mistyped.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import Bytes, F64s, I64s, U64s, at, inline_kernel, kernel, part_kernel
from sensor.schema import TRANSACTION, TransactionFlag
from sensor.structures.bits import count_bits
from sensor.structures.entity_table_kernels import ENTITY, touch
from sensor.structures.entity_tables import ENTITIES
from sensor.structures.hashing import mix
from sensor.structures.string_pool_kernels import ENTRY

_ZERO, _ONE = np.uint64(0), np.uint64(1)
_WORDS, _BITS = 8, 512
WORDS = 6 * _WORDS
"""Of a record's bitmaps: accounts that failed, that went well, clients that failed; of this half and of the last."""
_ORDER = np.uint64(0xFFFFFFFF)

LOGINS = np.dtype(
    [
        ("half_now", "i8"),       # when the present half of the window began
        ("first_ts", "i8"),       # first failure of the run
        ("run_now", "i8"),        # when it went over the threshold, 0 before
        ("reported_now", "i8"),
        ("failures", "i8"),       # in this half
        ("failures_before", "i8"),
        ("successes", "i8"),
        ("successes_before", "i8"),
        ("locked", "i8"),
        ("locked_before", "i8"),
        ("usual_failures", "f8"), # of earlier halves, fading
        ("usual_successes", "f8"),
        ("guessed", "i8"),        # 1 once a login went well in this run
    ],
    align=True,
)
HIT = np.dtype(
    [("row", "i8"), ("by", "i8"), ("run_now", "i8"), ("first_ts", "i8"), ("failures", "i8"), ("successes", "i8"),
     ("accounts", "i8"), ("clients", "i8"), ("locked", "i8"), ("guessed", "i8"), ("usual", "f8")]
)  # fmt: skip


class By(IntEnum):
    CLIENT = 0
    SOFTWARE = 1
    ENDPOINT = 2
    DAY = 3       # a client again, over a day


_KINDS = len(By)


class Threshold(IntEnum):
    HALF_NS = 0
    ACCOUNTS = 1
    TRIES = 2         # failures for each account up to which it is spraying
    CLIENTS = 3
    RATIO = 4         # times the usual share of failures, and of failures to successes
    ENDPOINT_FAILURES = 5
    REPORT_NS = 6
    HALF_DAY_NS = 7
    DAY_ACCOUNTS = 8


class Progress(IntEnum):
    ROW = 0
    HITS = 1


@inline_kernel
def _set(bitmaps, base, hashed):
    bit = np.int64(hashed >> np.uint64(17)) & (_BITS - 1)
    bitmaps[base + (bit >> 6)] |= _ONE << np.uint64(bit & 63)


@part_kernel
def distinct(bitmaps, base, minus):
    """Different items in two halves' bitmaps at base and base + 3 * _WORDS, without those at `minus` when not negative.
    """
    bits = 0
    for i in range(_WORDS):
        word = bitmaps[base + i] | bitmaps[base + 3 * _WORDS + i]
        if minus >= 0:
            word &= ~(bitmaps[minus + i] | bitmaps[minus + 3 * _WORDS + i])
        bits += count_bits(word)
    free = max(_BITS - bits, 1)
    return np.int64(-np.float64(_BITS) * np.log(np.float64(free) / np.float64(_BITS)) + 0.5)


@part_kernel
def advance(record, bitmaps, base, now, half_ns):
    """Let the window slide to `now`: by a half, or past all of it."""
    behind = now - np.int64(record["half_now"])
    if behind < half_ns:
        return
    record["usual_failures"] = 0.75 * record["usual_failures"] + np.float64(record["failures"])
    record["usual_successes"] = 0.75 * record["usual_successes"] + np.float64(record["successes"])
    kept = behind < 2 * half_ns
    record["failures_before"] = record["failures"] if kept else 0
    record["successes_before"] = record["successes"] if kept else 0
    record["locked_before"] = record["locked"] if kept else 0
    record["failures"] = 0
    record["successes"] = 0
    record["locked"] = 0
    record["half_now"] = now if not kept else np.int64(record["half_now"]) + half_ns
    for i in range(3 * _WORDS):
        bitmaps[base + 3 * _WORDS + i] = bitmaps[base + i] if kept else _ZERO
        bitmaps[base + i] = _ZERO
    if record["failures_before"] == 0:
        record["run_now"] = 0


@part_kernel
def begin(record, bitmaps, base, transaction, now):
    record["half_now"] = now
    record["first_ts"] = transaction["ts"]
    record["run_now"] = 0
    record["reported_now"] = 0
    record["failures"] = 0
    record["failures_before"] = 0
    record["successes"] = 0
    record["successes_before"] = 0
    record["locked"] = 0
    record["locked_before"] = 0
    record["usual_failures"] = 0.0
    record["usual_successes"] = 0.0
    record["guessed"] = 0
    for i in range(base, base + WORDS):
        bitmaps[i] = _ZERO


@part_kernel
def software_hash(data, start, stop):
    """Hash of a user agent without its digits: who changes the version with each try has the same software."""
    hashed = np.uint64(stop == start)
    for i in range(start, stop):
        byte = at(data, i)
        if not 0x30 <= byte <= 0x39:
            hashed = mix(hashed, np.uint64(byte))
    return hashed


@inline_kernel
def _share(failures, successes):
    return failures / max(failures + successes, 1.0)


@part_kernel
def is_attack(by, record, failures, successes, accounts, clients, limits):
    """Whether the figures of one window are an attack's."""
    if by == By.CLIENT or by == By.DAY:
        tries = failures <= limits[Threshold.TRIES] * accounts
        least = limits[Threshold.DAY_ACCOUNTS] if by == By.DAY else limits[Threshold.ACCOUNTS]
        return accounts >= least and tries and failures >= limits[Threshold.RATIO] * successes
    if clients < limits[Threshold.CLIENTS] or accounts < limits[Threshold.ACCOUNTS]:
        return False
    if by == By.SOFTWARE:
        return failures >= 3.0 * limits[Threshold.RATIO] * successes
    usual = _share(np.float64(record["usual_failures"]), np.float64(record["usual_successes"]))
    share = _share(failures, successes)
    return failures >= limits[Threshold.ENDPOINT_FAILURES] and share >= 0.5 and share >= limits[Threshold.RATIO] * usual


@part_kernel
def note(
    by, record, bitmaps, base, transaction, client, account, failed, locked, row, now, told, limits, hits, progress,
):  # fmt: skip
    """One login of the record; reports it when it is an attack and due, unless it is `told` already."""
    half = limits[Threshold.HALF_DAY_NS] if by == By.DAY else limits[Threshold.HALF_NS]
    advance(record, bitmaps, base, now, np.int64(half))
    if failed:
        if record["failures"] + record["failures_before"] == 0:
            record["first_ts"] = transaction["ts"]
        record["failures"] += 1
        _set(bitmaps, base, account)
        _set(bitmaps, base + 2 * _WORDS, client)
    else:
        record["successes"] += 1
        _set(bitmaps, base + _WORDS, account)
    if locked:
        record["locked"] += 1
    failures = np.float64(record["failures"] + record["failures_before"])
    successes = np.float64(record["successes"] + record["successes_before"])
    if failures < limits[Threshold.ACCOUNTS]:
        return
    accounts = distinct(bitmaps, base, base + _WORDS)
    clients = distinct(bitmaps, base + 2 * _WORDS, -1)
    running = record["run_now"] != 0
    attack = is_attack(by, record, failures, successes, np.float64(accounts), np.float64(clients), limits)
    guessed = running and not failed and by != By.ENDPOINT and record["guessed"] == 0
    guessed = guessed and (attack or by != By.DAY)
    if told or (not attack and not guessed):
        return
    if not running:
        record["run_now"] = now
        record["guessed"] = 0
    elif not guessed and now - np.int64(record["reported_now"]) < limits[Threshold.REPORT_NS]:
        return
    if guessed:
        record["guessed"] = 1
    record["reported_now"] = now
    hit = hits[progress[Progress.HITS]]
    hit["row"] = row
    hit["by"] = by
    hit["run_now"] = record["run_now"]
    hit["first_ts"] = record["first_ts"]
    hit["failures"] = np.int64(failures)
    hit["successes"] = np.int64(successes)
    hit["accounts"] = accounts
    hit["clients"] = clients
    hit["locked"] = record["locked"] + record["locked_before"]
    hit["guessed"] = record["guessed"]
    hit["usual"] = _share(np.float64(record["usual_failures"]), np.float64(record["usual_successes"]))
    progress[Progress.HITS] += 1


@kernel
def find_attacks(
    transactions: TRANSACTION, entities: ENTITIES, strings: ENTRY, pool: Bytes, start: int, basic_code: int,
    table: ENTITY, slots: U64s, use: I64s, seeds: U64s, records: LOGINS, bitmaps: U64s,
    limits: F64s, hits: HIT, progress: I64s,
) -> int:  # fmt: skip
    """Look at logins from row `start` on; returns the row to go on with.

    `basic_code` is the auth_scheme code of Basic, whose every request carries the flag of a login: those that went well
    do not count.
    """
    progress[Progress.HITS] = 0
    for row in range(start, len(transactions)):
        progress[Progress.ROW] = row
        if len(hits) - progress[Progress.HITS] < _KINDS:
            return row
        transaction = transactions[row]
        flags = np.int64(transaction["flags"])
        status = np.int64(transaction["status_code"])
        failed = flags & TransactionFlag.LOGIN_FAILED != 0
        well = not failed and 200 <= status < 400
        if flags & TransactionFlag.LOGIN == 0 or transaction["account"] == 0 or not (failed or well):
            continue
        if well and np.int64(transaction["auth_scheme"]) == basic_code:
            continue
        now = np.int64(transaction["now"])
        locked = flags & TransactionFlag.LOCKED != 0
        account = transaction["account"]
        hi = transaction["client_hi"]
        client = mix(hi, transaction["client_lo"] if hi == 0 else _ZERO)
        software = strings[np.int64(transaction["user_agent"])]
        begins = np.int64(software["start"])
        agent = software_hash(pool, begins, begins + np.int64(software["length"]))
        endpoint = np.uint64(entities[row]["endpoint"])
        spraying = False
        for by in range(_KINDS):
            key0, key1 = client, _ZERO
            if by == By.SOFTWARE:
                key0, key1 = agent, transaction["stack"] & _ORDER
            elif by == By.ENDPOINT:
                if endpoint == 0:
                    continue
                key0 = mix(transaction["server_lo"], strings[np.int64(transaction["endpoint"])]["hash"])
            touched = touch(table, slots, use, seeds, key0, key1, np.uint64(by), _ZERO)
            at_record = touched if touched >= 0 else -1 - touched
            record, base = records[at_record], at_record * WORDS
            if touched < 0:
                begin(record, bitmaps, base, transaction, now)
            note(
                by, record, bitmaps, base, transaction, client, account, failed, locked, row, now,
                by == By.DAY and spraying, limits, hits, progress,
            )  # fmt: skip
            if by == By.CLIENT:
                spraying = record["run_now"] != 0
    return len(transactions)
