"""Blocking with real nftables, in a network namespace of the test's own: packets stop, and come again."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sensor.collector.response.act import listed, undo
from sensor.collector.response.commands import command_for
from sensor.collector.response.commands import run as run_command
from sensor.config import ActionSettings
from tests.capture.network import Cable, cable, inside, ip, needs_namespaces
from tests.collector.test_response import NOON, Bench

pytestmark = [
    needs_namespaces,
    pytest.mark.skipif(shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin") is None, reason="needs nftables"),
]
SERVER, CLIENT, CLIENT6 = "10.77.0.1", "10.77.0.2", "fd77::2"
LIMIT_SECONDS = 90
RULES = """
table inet tapir {
    set blocked4 { type ipv4_addr; flags timeout; }
    set blocked6 { type ipv6_addr; flags timeout; }
    chain entering {
        type filter hook input priority -10
        ip saddr @blocked4 drop
        ip6 saddr @blocked6 drop
    }
}
"""


class Host:
    """A server behind a firewall, and a client at the other end of its cable."""

    def __init__(self, wire: Cable) -> None:
        self.wire = wire
        self.nft = ("ip", "netns", "exec", wire.near_space, "nft", "-f", "-")
        subprocess.run(self.nft, input=RULES.encode(), check=True)
        for space, end, number in ((wire.near_space, wire.near, 1), (wire.far_space, wire.far, 2)):
            ip("-n", space, "addr", "add", f"fd77::{number}/64", "dev", end, "nodad")
        with inside(wire.near_space):
            self.server = socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True)

    def action(self, **changes) -> ActionSettings:
        sets = {"nft_set_ipv4": "inet tapir blocked4", "nft_set_ipv6": "inet tapir blocked6"}
        return ActionSettings(name="block", nft=self.nft, **({"ttl_seconds": 1800, **sets} | changes))

    def blocked(self, version: int = 4) -> dict[str, int]:
        """Addresses in the set, and the seconds that they are blocked for."""
        command = ["ip", "netns", "exec", self.wire.near_space, "nft", "-j", "list", "set", "inet", "tapir",
                   f"blocked{version}"]  # fmt: skip
        (found,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["nftables"][1:]
        elements = [one["elem"] for one in found["set"].get("elem", [])]
        return {element["val"]: element["timeout"] for element in elements}

    def answers(self, seconds: float = LIMIT_SECONDS, address: str = SERVER) -> bool:
        """Whether the client reaches the server."""
        with inside(self.wire.far_space):
            try:
                socket.create_connection((address, 80), timeout=seconds).close()
            except TimeoutError:
                return False
        self.server.accept()[0].close()
        return True


@pytest.fixture
def host() -> Iterator[Host]:
    with cable("nft") as wire:
        made = Host(wire)
        yield made
        made.server.close()


def test_a_dry_run_blocks_nobody(host, tmp_path):
    bench = Bench(tmp_path, dry_run=True, actions=(host.action(),))
    bench.alert(client_ip=CLIENT)
    assert [row["state"] for row in listed(bench.store.base)] == ["active"]
    assert host.blocked() == {}
    assert host.answers()


@pytest.mark.parametrize(
    ("client", "server", "version"), [(CLIENT, SERVER, 4), (CLIENT6, "fd77::1", 6), (f"::ffff:{CLIENT}", SERVER, 4)]
)
def test_a_client_is_blocked_for_its_time_and_let_in_again(host, tmp_path, client, server, version):
    assert host.answers(address=server)
    bench = Bench(tmp_path, actions=(host.action(),))
    bench.alert(client_ip=client)
    assert host.blocked(version) == {client.removeprefix("::ffff:"): 1800}
    assert not host.answers(1.0, server)
    bench.responder.step(NOON + 1801)
    assert host.blocked(version) == {}
    assert host.answers(address=server)


def test_people_end_it_before(host, tmp_path):
    bench = Bench(tmp_path, actions=(host.action(),))
    bench.alert(client_ip=CLIENT)
    undo(bench.store.base, 1, "ann", "a customer", NOON + 60)
    bench.responder.step(NOON + 60)
    assert [row["state"] for row in listed(bench.store.base)] == ["undone"]
    assert host.answers()


def test_a_block_ends_by_itself_when_no_collector_is_left_to_undo_it(host, tmp_path):
    bench = Bench(tmp_path, actions=(host.action(ttl_seconds=2),))
    bench.alert(client_ip=CLIENT)
    bench.store.close()
    end = time.monotonic() + LIMIT_SECONDS
    while host.blocked():
        assert time.monotonic() < end
    assert host.answers()


def test_who_is_never_to_be_touched_is_not(host, tmp_path):
    bench = Bench(tmp_path, actions=(host.action(),), never=("10.77.0.0/24",))
    bench.alert(client_ip=CLIENT)
    assert (listed(bench.store.base), host.blocked()) == ([], {})
    assert host.answers()


def test_either_verb_may_be_run_twice_and_undoing_what_has_expired_is_no_fault(host):
    action = host.action()
    for verb in ("undo", "apply", "apply", "undo", "undo"):
        run_command(command_for(action, verb, CLIENT, 1, 1, NOON), LIMIT_SECONDS)
        assert host.blocked() == ({CLIENT: 1800} if verb == "apply" else {})


def test_a_set_that_is_not_there_is_tried_again_and_then_said(host, tmp_path):
    bench = Bench(tmp_path, actions=(host.action(nft_set_ipv4="inet tapir elsewhere", ttl_seconds=1e6),))
    bench.alert(client_ip=CLIENT)
    for number in range(8):
        bench.responder.step(NOON + 2_000 * number)
    assert [row["state"] for row in listed(bench.store.base)] == ["failed"]
    (why,) = bench.store.base.execute("SELECT why FROM audit WHERE action = 'response failed'").fetchone()
    assert why == f"apply block of {CLIENT}: ended with 1"


def test_the_ruleset_of_the_documentation_is_one(host):
    """docs/collector.md shows it; here it replaces the test's own."""
    page = (Path(__file__).parents[2] / "docs" / "collector.md").read_text()
    ruleset = page.split("```nft\n")[1].split("```")[0]
    subprocess.run(host.nft, input=b"flush ruleset\n" + ruleset.encode(), check=True)
    run_command(command_for(host.action(), "apply", CLIENT, 1, 1, NOON), LIMIT_SECONDS)
    assert host.blocked() == {CLIENT: 1800}
    assert not host.answers(1.0)
