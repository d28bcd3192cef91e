"""What of the alert stream changes while it is listened to: tables are published from when it is asked for."""

from __future__ import annotations

import signal
from pathlib import Path

import zmq

from tests.service.test_run import HYDRA, manager, running, told
from tests.service.wire import stop


def test_tables_are_published_from_the_reload_on(tmp_path: Path) -> None:
    settings, address = tmp_path / "tapir.toml", f"ipc://{tmp_path}/alerts"
    settings.write_text(f'[bus]\npublish = "{address}"\n')
    arguments = ("--read-loop", str(HYDRA), "--pace", "0", "--settings", str(settings), "--quiet")
    with (
        zmq.Context() as context,
        context.socket(zmq.SUB) as subscriber,
        manager(tmp_path) as listening,
        running(tmp_path, *arguments) as process,
    ):
        subscriber.setsockopt(zmq.RCVTIMEO, 60_000)
        subscriber.connect(address)
        subscriber.subscribe(b"tx.arrow")
        subscriber.subscribe(b"stats.heartbeat")
        told(listening, "READY=1")
        topics = {subscriber.recv_multipart()[0] for _ in range(4)}
        assert b"tx.arrow" not in topics
        settings.write_text(f'[bus]\npublish = "{address}"\npublish_tables = true\nheartbeat_seconds = 0.1\n')
        process.send_signal(signal.SIGHUP)
        told(listening, "RELOADING=1")
        assert "settings reloaded" in told(listening, "READY=1")
        while (found := subscriber.recv_multipart())[0] != b"tx.arrow":
            assert found[0] == b"stats.heartbeat"
        settings.write_text(f'[bus]\npublish = "{address}-elsewhere"\n')
        process.send_signal(signal.SIGHUP)
        told(listening, "RELOADING=1")
        told(listening, "READY=1")
        _, said = stop(process)
    assert "need a restart to change: bus.publish\n" in said
