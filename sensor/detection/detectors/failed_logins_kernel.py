"""Failed logins in transactions: in: transactions; out: rows of hits, for clients and for accounts.

A failed login is a transaction with TransactionFlag.LOGIN answered 401, or 400, 403, 422 or 423 where the login is not
Basic: with Basic credentials every endpoint carries the flag, and those codes then speak of the request. Other 401s (a
token that ran out) carry no flag and do not count. The one law: an entity is over "more than N in W" exactly when the
(N+1)th most recent failure lies within W; failures that were slips are none: an account's, one or two, before it went
well from the same client, while that was over nothing; over a day each login that goes well makes up for one. Who slips
while others guess is not taken for one of them, and an address from which many more accounts go well than fail is an
office and not a guesser.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import I64s, U64s, inline_kernel, kernel, part_kernel
from sensor.detection.detectors.login_passwords_kernel import PASSWORD
from sensor.schema import TRANSACTION, TransactionFlag
from sensor.structures.bits import count_bits
from sensor.structures.entity_table_kernels import ENTITY, find, touch
from sensor.structures.hashing import mix
from sensor.structures.windows import NEVER, clear_times, ring_push

_SLIPS_MAX = 2
"""Wrong passwords of an account that are its owner's slips."""
_KINDS_MIN = 6
"""Different lengths among the passwords of somebody who guesses; of passwords that were seen half are different."""
_OFFICE_MIN, _OFFICE_TIMES = 4, 2
"""Accounts that go well from an office, and times those that fail and have not gone well."""

GUESSED = np.dtype(
    [
        ("failures", "i8"),           # of the present run
        ("run_now", "i8"),            # packet time at which the run went over the threshold, 0 while it has not
        ("first_ts", "i8"),
        ("last_now", "i8"),           # of the latest failure
        ("reported_now", "i8"),
        ("reported_failures", "i8"),
        ("cursor", "i4"),             # of the oldest time
        ("succeeded", "u1"),          # 1 once a login succeeded in this run
        ("half_now", "i8"),           # when the present half of the window began
        ("well", "u8"),               # a client's accounts that went well in it, 64 bits
        ("well_before", "u8"),        # and in the half before
        ("ill", "u8"),                # accounts that failed
        ("ill_before", "u8"),
    ],
    align=True,
)

HIT = np.dtype(
    [
        ("row", "i8"),                # of the batch's transactions
        ("run_now", "i8"),
        ("first_ts", "i8"),
        ("failures", "i8"),
        ("succeeded", "u1"),
    ],
    align=True,
)


class By(IntEnum):
    CLIENT = 0    # `whose` then holds the accounts that were tried
    ACCOUNT = 1   # the clients that tried
    SLOW = 2      # an account, over a day: what was tried, see _tried


class Progress(IntEnum):
    ROW = 0
    HITS = 1
    FAILURES = 2


@inline_kernel
def is_failure(status, basic):
    """Whether the status of this answer to a login says that it failed."""
    return status == 401 or (not basic and status in (400, 403, 422, 423))


@inline_kernel
def _tried(transaction, basic, password):
    """What is different when another password is: the fingerprint of Basic credentials, what stands for the password
    where it was seen, else the body's length.
    """
    if basic:
        return transaction["user"]
    return password if password != 0 else np.uint64(max(np.int64(transaction["request_body_len"]), 0))


@part_kernel
def is_guessing(tried, base, size):
    """Whether these are several passwords, and not one that somebody's program sends again and again."""
    kinds = 0
    for i in range(base, base + size):
        first, alike = True, 0
        for j in range(base, base + size):
            alike += tried[j] == tried[i]
            first = first and (j >= i or tried[j] != tried[i])
        kinds += first
        if 10 * alike > 4 * size:
            return False
    return kinds >= (size // 2 if tried[base] & PASSWORD != 0 else min(_KINDS_MIN, size))


@part_kernel
def is_guesser(whose, base, size, client):
    """Whether a client is one of those that guess at an account: it failed more often than one slips, or nobody did who
    failed.
    """
    own = most = 0
    for i in range(base, base + size):
        alike = 0
        for j in range(base, base + size):
            alike += whose[j] == whose[i]
        most = max(most, alike)
        own += whose[i] == client
    return own > _SLIPS_MAX or (own > 0 and most <= _SLIPS_MAX)


@part_kernel
def note_outcome(entity, account, failed, now, half_ns):
    """Note for a client which accounts fail and which go well, over a window of two halves."""
    behind = now - np.int64(entity["half_now"])
    if behind >= half_ns:
        kept = behind < 2 * half_ns
        entity["well_before"] = entity["well"] if kept else np.uint64(0)
        entity["ill_before"] = entity["ill"] if kept else np.uint64(0)
        entity["well"] = np.uint64(0)
        entity["ill"] = np.uint64(0)
        entity["half_now"] = now
    bit = np.uint64(1) << (mix(account, np.uint64(0)) & np.uint64(63))
    if failed:
        entity["ill"] = entity["ill"] | bit
    else:
        entity["well"] = entity["well"] | bit


@part_kernel
def is_office(entity, whose, base, size):
    """Whether a client's failures are slips of some of the many who log in from there, none of them more than slips."""
    for i in range(base, base + size):
        alike = 0
        for j in range(base, base + size):
            alike += whose[j] == whose[i]
        if alike > _SLIPS_MAX:
            return False
    well = entity["well"] | entity["well_before"]
    many = count_bits(well)
    return many >= _OFFICE_MIN and many >= _OFFICE_TIMES * count_bits((entity["ill"] | entity["ill_before"]) & ~well)


@inline_kernel
def _is_due(entity, now, report_ns):
    grown = np.int64(entity["failures"]) - np.int64(entity["reported_failures"])
    return grown > np.int64(entity["reported_failures"]) >> 6 or now - np.int64(entity["reported_now"]) >= report_ns


@part_kernel
def note_failure(guessed, row, times, starts, whose, size, transaction, tried, by, slow_ns, window_ns, report_ns):
    """Add one failure to its entity, `tried` to `whose`; returns whether it is over the threshold and due to be
    reported. `slow_ns`: what so many failures must span at least, and be of several passwords; 0 for any.
    """
    entity = guessed[row]
    base = row * size
    now = np.int64(transaction["now"])
    cursor = np.int64(entity["cursor"])
    starts[base + cursor] = transaction["ts"]
    whose[base + cursor] = tried
    cursor = ring_push(times, base, size, cursor, now)
    entity["cursor"] = cursor
    entity["last_now"] = now
    span = now - times[base + cursor]
    if span > window_ns or (slow_ns > 0 and (span < slow_ns or not is_guessing(whose, base, size))):
        entity["run_now"] = 0
        return False
    if entity["run_now"] == 0 and by == By.CLIENT and is_office(entity, whose, base, size):
        return False
    if entity["run_now"] == 0:
        entity["run_now"] = now
        entity["failures"] = size
        entity["reported_failures"] = 0
        entity["succeeded"] = 0
        entity["first_ts"] = starts[base + cursor]
    else:
        entity["failures"] += 1
    return _is_due(entity, now, report_ns) and (by != By.ACCOUNT or is_guesser(whose, base, size, tried))


@part_kernel
def take_back_slips(entity, times, starts, whose, base, size, account, since):
    """Forget the failures of an account that has gone well, if they are few; the others stay in their order."""
    slips = 0
    for i in range(base, base + size):
        slips += whose[i] == account and times[i] >= since
    if slips == 0 or slips > _SLIPS_MAX:
        return
    cursor, left = np.int64(entity["cursor"]), size - 1
    for i in range(size - 1, -1, -1):
        source, target = base + (cursor + i) % size, base + (cursor + left) % size
        if whose[source] != account or times[source] < since:
            times[target], starts[target], whose[target] = times[source], starts[source], whose[source]
            left -= 1
    for i in range(left + 1):
        times[base + (cursor + i) % size] = NEVER


@part_kernel
def take_back_latest(entity, times, base, size):
    """Forget the latest failure."""
    cursor = (np.int64(entity["cursor"]) + size - 1) % size
    times[base + cursor] = NEVER
    entity["cursor"] = cursor


@inline_kernel
def _client_of(transaction):
    return mix(transaction["client_hi"], transaction["client_lo"])


@part_kernel
def is_success_of(entity, whose, base, size, transaction, by, window_ns):
    """Whether a login that went well ends a run of guesses: by one of those that guess, within the window, the first of
    the run.
    """
    if entity["run_now"] == 0 or entity["succeeded"] != 0:
        return False
    if np.int64(transaction["now"]) - np.int64(entity["last_now"]) > window_ns:
        return False
    return by == By.CLIENT or is_guesser(whose, base, size, _client_of(transaction))


@inline_kernel
def _report(hits, progress, entity, row, now):
    entity["reported_now"] = now
    entity["reported_failures"] = entity["failures"]
    hit = hits[progress[Progress.HITS]]
    hit["row"] = row
    hit["run_now"] = entity["run_now"]
    hit["first_ts"] = entity["first_ts"]
    hit["failures"] = entity["failures"]
    hit["succeeded"] = entity["succeeded"]
    progress[Progress.HITS] += 1


@kernel
def find_guessing(
    transactions: TRANSACTION, passwords: U64s, start: int, by: int, basic_code: int,
    entities: ENTITY, slots: U64s, use: I64s, seeds: U64s,
    guessed: GUESSED, times: I64s, starts: I64s, whose: U64s, size: int, slow_ns: int, window_ns: int,
    report_ns: int, hits: HIT, progress: I64s,
) -> int:  # fmt: skip
    """Look at transactions from row `start` on; returns the row to go on with.

    `passwords` are those of tell_passwords; `by` says whose failures are counted; `times`, `starts` and `whose` hold
    `size` items, one more than are allowed, for each entity; `basic_code` is the auth_scheme code of Basic, -1 when the
    batch has none; `slow_ns` is that of note_failure.
    """
    progress[Progress.HITS] = 0
    for row in range(start, len(transactions)):
        progress[Progress.ROW] = row
        transaction = transactions[row]
        if transaction["flags"] & TransactionFlag.LOGIN == 0:
            continue
        if progress[Progress.HITS] == len(hits):
            return row
        key0 = transaction["client_hi"] if by == By.CLIENT else transaction["account"]
        key1 = transaction["client_lo"] if by == By.CLIENT else np.uint64(0)
        if by != By.CLIENT and key0 == 0:
            continue
        zero = np.uint64(0)
        status = np.int64(transaction["status_code"])
        now = np.int64(transaction["now"])
        basic = np.int64(transaction["auth_scheme"]) == basic_code
        failed = is_failure(status, basic) or transaction["flags"] & TransactionFlag.LOGIN_FAILED != 0
        if not failed and (200 <= status < 300 or (300 <= status < 400 and transaction["issued"] != 0)):
            entity_row = find(entities, slots, seeds, key0, key1, zero, zero)
            if entity_row >= 0 and by == By.CLIENT:
                note_outcome(guessed[entity_row], transaction["account"], False, now, window_ns // 2)
            if by == By.SLOW:
                if entity_row >= 0 and guessed[entity_row]["run_now"] == 0:
                    take_back_latest(guessed[entity_row], times, entity_row * size, size)
            elif entity_row >= 0 and is_success_of(
                guessed[entity_row], whose, entity_row * size, size, transaction, by, window_ns
            ):  # fmt: skip
                guessed[entity_row]["succeeded"] = 1
                _report(hits, progress, guessed[entity_row], row, now)
            elif (
                entity_row >= 0 and by == By.CLIENT and transaction["account"] != 0
                and guessed[entity_row]["run_now"] == 0
            ):  # fmt: skip
                take_back_slips(
                    guessed[entity_row], times, starts, whose, entity_row * size, size, transaction["account"],
                    now - window_ns,
                )  # fmt: skip
            continue
        if not failed:
            continue
        tried = transaction["account"]
        if by != By.CLIENT:
            tried = _tried(transaction, basic, passwords[row]) if by == By.SLOW else _client_of(transaction)
        entity_row = touch(entities, slots, use, seeds, key0, key1, zero, zero)
        if entity_row < 0:
            entity_row = -1 - entity_row
            clear_times(times, entity_row * size, size)
            guessed[entity_row]["run_now"] = 0
            guessed[entity_row]["cursor"] = 0
            guessed[entity_row]["half_now"] = 0
        if by == By.CLIENT:
            note_outcome(guessed[entity_row], transaction["account"], True, now, window_ns // 2)
        progress[Progress.FAILURES] += 1
        if note_failure(
            guessed, entity_row, times, starts, whose, size, transaction, tried, by, slow_ns, window_ns, report_ns
        ):  # fmt: skip
            _report(hits, progress, guessed[entity_row], row, now)
    return len(transactions)
