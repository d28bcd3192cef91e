"""Failed logins: exact thresholds by client and by account, what counts, and a success after failures."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.alert import Severity
from sensor.config import FailedLoginsSettings
from sensor.detection.stage import DetectionStage
from sensor.schema import TransactionFlag
from tests.detection.messages import Talk
from tests.detection.tables import START, Pool, alone, join, login, read_server_log, run_transactions, transaction
from tests.oracles.windows import more_than

ADMIN = 0xAD


def judge(pool, rows, settings=FailedLoginsSettings(entities_max=64), batch=1 << 30):  # noqa: B008
    stage = DetectionStage(alone(failed_logins=settings), pool)
    return run_transactions(stage, join(rows), batch)


@pytest.fixture
def pool():
    return Pool()


def test_strictly_more_than_five_in_two_minutes_from_one_address(pool):
    rows = [login(pool, 24 * i) for i in range(6)]
    assert judge(pool, rows[:5]) == []
    (found,) = judge(pool, rows)
    assert found.rule.id == "brute-force-login"
    assert found.entity.value == found.client_ip == "10.0.0.1"
    assert (found.count, found.numbers.observed, found.numbers.threshold) == (6, 6, 5)
    assert (found.first_ts, found.last_ts) == (START, START + 120 * 10**9)
    assert found.severity is None
    assert found.http.endpoint == "/login"
    assert judge(pool, [login(pool, 24.001 * i) for i in range(50)]) == []


def test_strictly_more_than_ten_in_five_minutes_to_one_account(pool):
    rows = [login(pool, 30 * i, f"10.0.0.{i}", account=ADMIN) for i in range(11)]
    assert judge(pool, rows[:10]) == []
    (found,) = judge(pool, rows)
    assert found.rule.id == "brute-force-account"
    assert (found.entity.kind, found.entity.value) == ("account", "00000000000000ad")
    assert found.client_ip == "10.0.0.10"
    assert found.count == 11


def test_the_owner_who_slips_while_others_guess_is_not_blamed(pool):
    guesses = [login(pool, 2 * i, "10.0.0.66", account=ADMIN) for i in range(30)]
    owner = [login(pool, 31, "10.0.0.7", account=ADMIN), login(pool, 33, "10.0.0.7", account=ADMIN, status=200)]
    found = judge(pool, sorted(guesses + owner, key=lambda row: row["now"][0]))
    assert {one.client_ip for one in found} == {"10.0.0.66"}
    assert not any(one.details["succeeded"] for one in found)
    broken = judge(pool, [*guesses, login(pool, 70, "10.0.0.66", account=ADMIN, status=200)])
    assert broken[-1].severity == Severity.CRITICAL


def test_a_login_that_goes_well_for_one_of_many_who_guess_once_or_twice(pool):
    rows = [login(pool, 5 * i, f"10.0.0.{i // 2}", account=ADMIN) for i in range(20)]
    found = judge(pool, [*rows, login(pool, 101, "10.0.0.9", account=ADMIN, status=200)])
    assert [one.severity for one in found if one.details["succeeded"]] == [Severity.CRITICAL]
    quiet = judge(pool, [*rows, login(pool, 101, "10.0.0.200", account=ADMIN, status=200)])
    assert not any(one.details["succeeded"] for one in quiet)


def test_three_wrong_passwords_then_the_right_one_is_quiet(pool):
    rows = [login(pool, i) for i in range(3)] + [login(pool, 5, status=200)]
    assert judge(pool, rows * 1 + [transaction(pool, 6 + i) for i in range(50)]) == []


def office(pool, wrong):
    """Ten people behind one address log in within two minutes, after so many wrong passwords each."""
    return [
        login(pool, 10 * who + 2 * turn, account=1 + who, status=200 if turn == wrong else 401)
        for who in range(10) for turn in range(wrong + 1)
    ]  # fmt: skip


@pytest.mark.parametrize(("wrong", "told"), [(1, False), (2, False), (3, True)])
def test_an_office_that_mistypes_in_the_morning(pool, wrong, told):
    found = judge(pool, office(pool, wrong))
    assert ({one.rule.id for one in found} == {"brute-force-login"}) is told


@pytest.mark.parametrize(("fail", "told"), [(10, False), (35, True)])
def test_forty_people_behind_one_address_who_begin_at_once(pool, fail, told):
    rows = []
    for person in range(40):
        wrong = person * fail // 40 != (person + 1) * fail // 40
        rows.append(login(pool, person / 8, account=100 + person, status=401 if wrong else 200))
        if wrong:
            rows.append(login(pool, person / 8 + 3, account=100 + person, status=200))
    found = judge(pool, sorted(rows, key=lambda row: int(row["now"][0])))
    assert bool(found) is told


def test_who_guesses_among_them_is_found_all_the_same(pool):
    guesses = [login(pool, 15 + 3 * n, account=500 + n) for n in range(12)]
    rows = sorted([*office(pool, 1), *guesses], key=lambda row: int(row["now"][0]))
    found = judge(pool, rows)
    assert {one.rule.id for one in found} == {"brute-force-login"}
    assert found[0].first_ts >= START + 15 * 10**9


@pytest.mark.parametrize("gap", [35, 600, 5_000])
def test_different_passwords_all_day_long_are_slow_guessing(pool, gap):
    rows = [login(pool, gap * n, f"10.0.{n % 3}.1", account=ADMIN, request_body_len=40 + n % 9) for n in range(60)]
    found = judge(pool, rows)
    slow = [one for one in found if one.rule.id == "brute-force-slow"]
    assert bool(slow) == (21 * gap < 86_400)
    assert {(one.entity.kind, one.entity.value) for one in slow} <= {("account", "00000000000000ad")}


def test_slow_guesses_at_basic_are_told_apart_by_their_fingerprint(pool):
    rows = [login(pool, 60 * n, account=ADMIN, auth_scheme="basic", user=7 + n) for n in range(60)]
    assert "brute-force-slow" in {one.rule.id for one in judge(pool, rows)}


@pytest.mark.parametrize("lengths", [1, 2])
def test_a_program_with_a_stale_password_is_none(pool, lengths):
    rows = [login(pool, 120 * n, account=ADMIN, request_body_len=40 + n % lengths) for n in range(200)]
    assert judge(pool, rows) == []
    owner = [login(pool, 1_000 * n + 30, account=ADMIN, request_body_len=50 + n) for n in range(8)]
    both = sorted([*rows[:100], *owner], key=lambda row: int(row["now"][0]))
    assert judge(pool, both) == []


BODIES = [
    '{"user": "ann", "password": "%s"}', "user=ann&passwd=%s&go=1", '{"pin":"%s","user":"ann","at":"9"}',
    '{"query": "mutation { login(pwd: \\"%s\\") { token } }"}',
]  # fmt: skip


def told_by_bodies(bodies):
    """Failed logins of one account a minute, of one length all."""
    talk = Talk()
    for number, body in enumerate(bodies):
        login_columns = {"account": ADMIN, "flags": TransactionFlag.LOGIN, "status_code": 401, "request_body_len": 40}
        talk.say(60 * number, "/login", body.encode(), client=f"10.0.{number % 3}.1", **login_columns)
    stage = DetectionStage(alone(failed_logins=FailedLoginsSettings()), talk.pool)
    return {one.rule.id for one in talk.detections(stage)}


@pytest.mark.parametrize("body", BODIES)
def test_passwords_of_one_length_are_told_apart_by_what_they_are(body):
    assert told_by_bodies(body % f"pw{number:04}" for number in range(30)) == {"brute-force-slow"}
    assert told_by_bodies(body % "pw0815" for _ in range(30)) == set()


def test_a_program_whose_body_changes_around_a_stale_password(pool):
    assert told_by_bodies(f"password=pw0815&nonce={number * 7919:08}" for number in range(60)) == set()


def test_an_account_of_many_who_mistype_now_and_then(pool):
    rows = [login(pool, 300 * n + 60 * turn, account=ADMIN, status=200 if turn else 401, request_body_len=40 + n % 9)
            for n in range(60) for turn in range(3)]  # fmt: skip
    assert judge(pool, rows) == []


def test_fast_guesses_are_the_other_rule_s(pool):
    rows = [login(pool, 2 * n, f"10.0.{n % 40}.1", account=ADMIN, request_body_len=40 + n % 9) for n in range(200)]
    assert {one.rule.id for one in judge(pool, rows)} == {"brute-force-account"}


def test_tokens_that_run_out_never_count(pool):
    assert judge(pool, [transaction(pool, i * 0.1, status_code=401) for i in range(100)]) == []


@pytest.mark.parametrize(
    ("status", "counts"), [(400, 1), (403, 1), (422, 1), (423, 1), (404, 0), (429, 0), (500, 0), (0, 0)]
)
def test_which_answers_are_failures(pool, status, counts):
    assert len(judge(pool, [login(pool, i, status=status) for i in range(6)])) == counts


def test_a_login_that_is_refused_with_200_or_a_redirect_counts(pool):
    refused = TransactionFlag.REQUEST | TransactionFlag.LOGIN | TransactionFlag.LOGIN_FAILED
    for status in (200, 302):
        rows = [login(pool, i, status=status, flags=refused) for i in range(6)]
        assert [found.rule.id for found in judge(pool, rows)] == ["brute-force-login"]
        assert judge(pool, [login(pool, i, status=status) for i in range(50)]) == []


def test_a_redirect_with_a_new_session_is_a_success_of_the_guesser(pool):
    rows = [login(pool, i) for i in range(6)] + [login(pool, 7, status=302, issued=0x77)]
    assert [found.severity for found in judge(pool, rows)] == [None, Severity.CRITICAL]


@pytest.mark.parametrize(("status", "counts"), [(401, 1), (400, 0), (403, 0), (422, 0)])
def test_with_basic_credentials_only_401_is_a_failure(pool, status, counts):
    """Every endpoint asked with Basic credentials is a login, and the other codes speak of the request."""
    assert len(judge(pool, [login(pool, i, status=status, auth_scheme="basic") for i in range(6)])) == counts


def test_a_success_of_the_guesser_is_critical(pool):
    rows = [login(pool, i, account=ADMIN) for i in range(20)]
    found = judge(pool, [*rows, login(pool, 20, status=200, account=ADMIN)])
    assert [one.severity for one in found[-2:]] == [Severity.CRITICAL] * 2
    assert {one.rule.id for one in found[-2:]} == {"brute-force-login", "brute-force-account"}
    assert found[-1].details["succeeded"] is True
    assert found[-1].http.status_code == 200


def test_the_owner_s_own_success_is_not_the_guesser_s(pool):
    rows = [login(pool, i, account=ADMIN) for i in range(20)]
    found = judge(pool, [*rows, login(pool, 20, "10.0.0.77", status=200, account=ADMIN)])
    assert Severity.CRITICAL not in {one.severity for one in found}


def test_a_success_long_after_is_no_proof(pool):
    rows = [login(pool, i) for i in range(20)]
    found = judge(pool, [*rows, login(pool, 19 + 120.001, status=200)])
    assert Severity.CRITICAL not in {one.severity for one in found}


def test_many_failures_are_told_a_few_times_with_their_count(pool):
    found = judge(pool, [login(pool, i * 0.001) for i in range(3_000)])
    assert found[-1].count == pytest.approx(3_000, rel=1 / 60)
    assert len(found) < 64 * 6


def test_two_attacks_are_two_runs(pool):
    rows = [login(pool, i) for i in range(8)] + [login(pool, 1_000 + i) for i in range(8)]
    found = judge(pool, rows)
    assert [one.count for one in found] == [6, 7, 8, 6, 7, 8]
    assert len({one.run for one in found}) == 2


failures = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), max_size=60)


@settings(deadline=None)
@given(failures, st.integers(0, 4), st.integers(1, 10))
def test_verdicts_are_those_of_the_slow_twin(tried, allowed, window):
    pool, rows, past, expected, now = Pool(), [], {}, [], 0
    for gap, client in tried:
        now += gap
        rows.append(login(pool, now, f"10.0.0.{client}"))
        past.setdefault(client, []).append(now)
        if more_than(past[client], allowed, window):
            expected.append((now, f"10.0.0.{client}"))
    limits = FailedLoginsSettings(
        client_failures_max=allowed, client_window_seconds=window, account_failures_max=1_000, entities_max=16
    )
    found = judge(pool, rows or [login(pool, 0, status=200)], limits)
    assert [((one.now - START) // 10**9, one.client_ip) for one in found] == expected


def test_clients_beyond_the_budget_give_way_and_are_counted(pool):
    stage = DetectionStage(alone(failed_logins=FailedLoginsSettings(entities_max=8)), pool)
    run_transactions(stage, join([login(pool, i, f"10.9.0.{i % 200}", account=1 + i) for i in range(200)]))
    assert stage.counters.as_dict()["evicted"] == 3 * (200 - 8)


def test_batches_do_not_matter(pool):
    rows = []
    for i in range(400):
        status = 401 if i % 9 else 200
        rows.append(login(pool, i // 3, f"10.0.0.{i * i % 5}", status=status, account=i % 4))
    whole = judge(pool, rows)
    assert len(whole) > 50

    def in_order(found):
        return sorted(found, key=lambda one: (one.now, one.rule.id))

    for batch in (1, 13, 100):
        assert in_order(judge(pool, rows, batch=batch)) == in_order(whole)


def test_hydra_is_found_and_nobody_else(pool):
    rows = read_server_log("06-hydra", pool)
    assert (rows["flags"] & TransactionFlag.LOGIN != 0).sum() > 300
    found = judge(pool, [rows])
    assert {one.client_ip for one in found} == {"10.60.9.6"}
    assert found[-1].severity == Severity.CRITICAL
