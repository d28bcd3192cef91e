"""To whom transactions are ascribed: rows that are shared, accounts through all of their tokens, and bounded tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sensor.config import FeatureSettings
from sensor.features.stage import FeatureStage
from sensor.schema import TransactionFlag
from sensor.structures.entity_tables import IdentityKind
from tests.detection.tables import FEW, Pool, join, read_server_log, transaction

BOB, EVE, TOKEN, OTHER = 0xB0B, 0xE7E, 0x7001, 0x7002
LOGIN = TransactionFlag.REQUEST | TransactionFlag.RESPONSE | TransactionFlag.LOGIN


class Site:
    """Transactions one after the other, a second apart, and what they are resolved to."""

    def __init__(self, settings: FeatureSettings = FEW, batch: int = 1 << 30) -> None:
        self.pool = Pool()
        self.rows: list[np.ndarray] = []
        self.settings, self.batch = settings, batch

    def add(self, client: str = "10.0.0.1", **given: Any) -> Site:
        self.rows.append(transaction(self.pool, len(self.rows), client, **given))
        return self

    def login(self, account: int, issued: int = 0, **given: Any) -> Site:
        return self.add(method="POST", endpoint="/login", account=account, issued=issued, **({"flags": LOGIN} | given))

    def resolve(self) -> np.ndarray:
        self.stage = FeatureStage(self.settings, self.pool.tables)
        self.table = join(self.rows)
        parts = [self.table[i : i + self.batch] for i in range(0, len(self.table), self.batch)]
        return np.concatenate([self.stage.process(part) for part in parts])


def test_each_column_is_one_row_of_its_table():
    found = Site().add().add().add("10.0.0.2").add(endpoint="/other").add(server="10.0.1.2").resolve()
    assert found["client"].tolist() == [0, 0, 1, 0, 0]
    assert found["identity"].tolist() == [0, 0, 1, 0, 0]
    assert found["endpoint"].tolist() == [1, 1, 1, 2, 3]
    assert found["server"].tolist() == [0, 0, 0, 0, 1]
    assert found["identity_endpoint"].tolist() == [0, 0, 1, 2, 3]


def test_the_method_tells_endpoints_apart_and_what_a_client_writes_as_host_does_not():
    found = Site().add().add(method="PUT").add(host="b.test").resolve()
    assert found["endpoint"].tolist() == [1, 2, 1]


def test_an_identity_is_the_subject_else_the_credential_else_the_address():
    site = Site().add().add(user=TOKEN).add(user=TOKEN, subject=BOB).add("10.0.0.2", user=OTHER, subject=BOB)
    found = site.resolve()
    assert found["identity"].tolist() == [0, 1, 2, 2]
    assert found["identity_kind"].tolist() == [0, 1, 2, 2]
    keys = [site.stage.tables.identity.key(row) for row in range(3)]
    assert keys[1:] == [(TOKEN, 0, IdentityKind.CREDENTIAL, 0), (BOB, 0, IdentityKind.SUBJECT, 0)]


def test_an_ipv6_client_is_its_64_and_an_ipv4_client_its_address():
    found = Site().add("2001:db8::1").add("2001:db8::2").add("2001:db8:0:1::1").add("::1").add("10.0.0.1").resolve()
    assert found["client"].tolist() == [0, 0, 1, 2, 3]


def test_a_token_that_a_login_issues_is_the_account():
    found = Site().login(BOB, TOKEN).add(user=TOKEN).add("10.9.9.9", user=TOKEN).add(user=OTHER).resolve()
    assert found["identity"].tolist() == [0, 0, 0, 1]
    assert found["identity_kind"].tolist() == [2, 2, 2, 1]


def test_the_subject_is_written_to_the_transactions():
    site = Site().login(BOB, TOKEN).add(user=TOKEN).add(user=OTHER)
    site.resolve()
    assert site.table["subject"].tolist() == [BOB, BOB, 0]


def test_a_refresh_hands_the_account_on():
    refresh = TransactionFlag.REQUEST | TransactionFlag.RESPONSE | TransactionFlag.REFRESH
    site = Site().login(BOB, TOKEN).add(user=TOKEN, flags=refresh, issued=OTHER).add(user=OTHER)
    site.resolve()
    assert site.table["subject"].tolist() == [BOB] * 3
    assert site.stage.counters.as_dict()["credentials_tied"] == 2


@pytest.mark.parametrize("answer", [{"status_code": 401}, {"flags": LOGIN | TransactionFlag.LOGIN_FAILED}])
def test_a_login_that_was_refused_ties_nothing(answer):
    site = Site().login(BOB, TOKEN, **answer).add(user=TOKEN)
    site.resolve()
    assert site.table["subject"].tolist() == [0, 0]


def test_a_cookie_that_was_there_before_the_login_is_the_account_from_then_on():
    site = Site().add(user=TOKEN).login(BOB, user=TOKEN).add(user=TOKEN)
    site.resolve()
    assert site.table["subject"].tolist() == [0, BOB, BOB]


def test_a_later_login_with_the_same_cookie_is_another_account():
    site = Site().login(BOB, TOKEN).add(user=TOKEN).login(EVE, TOKEN).add(user=TOKEN)
    site.resolve()
    assert site.table["subject"].tolist() == [BOB, BOB, EVE, EVE]


@pytest.mark.parametrize("status", [401, 403, 0])
def test_guessed_tokens_belong_to_the_address_until_one_is_accepted(status):
    site = Site().add(user=TOKEN, status_code=status).add(user=OTHER, status_code=status)
    site.add(user=OTHER).add(user=OTHER, status_code=status)
    assert site.resolve()["identity_kind"].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("status", [404, 405, 501, 0])
def test_paths_that_are_nowhere_share_endpoint_0(status):
    site = Site()
    for i in range(50):
        site.add(endpoint=f"/guess{i}", status_code=status)
    site.add(endpoint="/real").add(endpoint="/real", status_code=status)
    found = site.resolve()
    assert set(found["endpoint"][:50]) == {0}
    assert found["endpoint"][50:].tolist() == [1, 1]


def test_a_row_given_to_another_has_another_generation():
    few = FeatureSettings(
        clients_max=2, identities_max=2, endpoints_max=2, servers_max=2, identity_endpoints_max=2, credentials_max=2
    )
    site = Site(few)
    for i in range(5):
        site.add(f"10.0.0.{i}")
    found = site.resolve()
    assert set(found["client"]) == {0, 1}
    assert sum(site.stage.tables.client.generations) == 5
    assert site.stage.counters.as_dict()["evicted"] == 9


@pytest.mark.parametrize("batch", [1, 7])
def test_rows_do_not_depend_on_how_transactions_were_batched(batch):
    rows = read_server_log("01a-benign", pool := Pool())
    whole, parts = Site(), Site(batch=batch)
    whole.pool = parts.pool = pool
    whole.rows, parts.rows = [rows[:3_000]], [rows[:3_000].copy()]
    assert (whole.resolve() == parts.resolve()).all()
