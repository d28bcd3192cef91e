"""Any number of workers gives what one process gives: rows, their order, alerts, and what is remembered."""

from __future__ import annotations

import json
import lzma
import os
import signal
import struct
import threading
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from sensor.cli.exit_codes import ExitCode
from sensor.cli.reading import Options, run
from sensor.config import (
    AlertingSettings,
    CaptureSettings,
    DetectionSettings,
    FailedLoginsSettings,
    Settings,
    WorkerSettings,
)
from sensor.errors import WorkerError
from sensor.pipeline import Pipeline

ROOT = Path(__file__).resolve().parents[2]
PCAPS = ROOT / "pcaps"
REAL = ROOT.parent / "shared" / "real"
OF_THIS_RUN = ("epoch", "detection_ts")


def outputs(capture: Path, folder: Path, workers: int, **options: object) -> dict[str, list[str]]:
    """The lines of every output of `tapir read --workers N`; alerts without what tells one run from another."""
    folder.mkdir()
    paths = {name: str(folder / f"{name}.jsonl") for name in ("transactions", "flows", "tls", "alerts")}
    asked = Options(inputs=[str(capture)], **paths, quiet=True, sensor="lab", workers=workers, **options)
    assert run(asked) == 0
    lines = {name: Path(path).read_text().splitlines() for name, path in paths.items()}
    alerts = map(json.loads, lines["alerts"])
    lines["alerts"] = [json.dumps({key: alert[key] for key in alert if key not in OF_THIS_RUN}) for alert in alerts]
    return lines


def real(name: str, folder: Path) -> Path:
    packed = REAL / f"{name}.pcap.xz"
    if not packed.exists():
        pytest.skip("../shared/real is not there")
    capture = folder / f"{name}.pcap"
    capture.write_bytes(lzma.decompress(packed.read_bytes()))
    return capture


SMALL = ("hydra-form", "http2-nginx", "grpc-calls", "doubled-mirror", "lossy-mirror", "nmap-syn")


@pytest.mark.parametrize("name", SMALL)
def test_small_captures(name: str, tmp_path: Path) -> None:
    capture = PCAPS / f"{name}.pcap"
    alone = outputs(capture, tmp_path / "1", 1)
    assert alone["flows"]
    assert outputs(capture, tmp_path / "2", 2, batch_frames=100) == alone


@pytest.mark.slow
@pytest.mark.parametrize("name", ["02-nmap-fast", "06-hydra", "09-bulk-exfil"])
def test_scan_brute_force_and_exfiltration(name: str, tmp_path: Path) -> None:
    capture = real(name, tmp_path)
    alone = outputs(capture, tmp_path / "1", 1)
    assert alone["alerts"]
    for workers in (2, 4):
        assert outputs(capture, tmp_path / str(workers), workers) == alone


def test_a_coarse_clock_does_not_change_the_order(tmp_path: Path) -> None:
    """Where many packets share a time, the place of the packet decides, whoever read it."""
    data = bytearray((PCAPS / "hydra-form.pcap").read_bytes())
    place = 24
    while place < len(data):
        _, micros, size, _ = struct.unpack_from("<4I", data, place)
        struct.pack_into("<I", data, place + 4, micros // 100_000 * 100_000)
        place += 16 + size
    capture = tmp_path / "coarse.pcap"
    capture.write_bytes(data)
    alone = outputs(capture, tmp_path / "1", 1)
    assert len({json.loads(line)["ts"] for line in alone["transactions"]}) < len(alone["transactions"]) / 3
    assert outputs(capture, tmp_path / "3", 3) == alone


def test_what_two_workers_learned_one_goes_on_with(tmp_path: Path) -> None:
    capture = PCAPS / "hydra-form.pcap"
    after = {}
    for name, numbers in (("alone", (1, 1)), ("first two", (2, 1)), ("then three", (1, 3))):
        state = tmp_path / name / "state"
        state.mkdir(parents=True, mode=0o700)
        os.close(os.open(state / "fingerprint.key", os.O_CREAT, 0o600))
        (state / "fingerprint.key").write_bytes(bytes(range(16)))  # users are the same in all of them
        for place, workers in enumerate(numbers):
            after[name] = outputs(capture, tmp_path / name / str(place), workers, state=str(state))
    assert after["first two"] == after["alone"]
    assert after["then three"] == after["alone"]


def _settings(workers: int) -> Settings:
    return Settings(
        workers=WorkerSettings(count=workers), capture=CaptureSettings(batch_frames=50),
        alerting=AlertingSettings(sensor="lab"),
    )  # fmt: skip


@pytest.fixture
def block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """A single process judges every block by itself, as a crew does."""
    monkeypatch.setattr("sensor.pipeline.BLOCKS_TOGETHER", 1)


@pytest.mark.usefixtures("block_by_block")
def test_counters_and_fills_are_those_of_all_workers() -> None:
    capture = str(PCAPS / "hydra-form.pcap")
    seen = []
    for workers in (1, 3):
        pipeline = Pipeline(_settings(workers), [capture])
        fills = [pipeline.fills() for _ in pipeline if pipeline.counters()["detection"]["transactions"]]
        seen.append((pipeline.counters(), {name: max(fill[name][0] for fill in fills[:-1]) for name in fills[0]}))
    alone, crew = seen
    assert crew[0] == alone[0]
    assert crew[1] == {**alone[1], "strings": crew[1]["strings"]}  # each worker has a pool of its own besides


@pytest.mark.usefixtures("block_by_block")
def test_other_settings_are_taken_over_by_every_worker() -> None:
    """A threshold that was never reached is lowered midway: what was counted before counts."""
    told = {}
    for workers in (1, 3):
        lax = FailedLoginsSettings(client_failures_max=10_000, account_failures_max=10_000)
        before = replace(_settings(workers), detection=DetectionSettings(failed_logins=lax))
        pipeline = Pipeline(before, [str(PCAPS / "hydra-form.pcap")])
        told[workers] = []
        for number, batch in enumerate(pipeline):
            told[workers] += [(alert.rule_id, alert.ts, alert.count) for alert in batch.alerts]
            if number == 5:
                pipeline.take_over(pipeline.prepare(_settings(workers)))
    assert "brute-force-login" in {rule for rule, _, _ in told[1]}
    assert told[3] == told[1]


def test_a_worker_that_dies_ends_the_run_with_one_line() -> None:
    pipeline = Pipeline(_settings(2), [str(PCAPS / "hydra-form.pcap")])
    batches = iter(pipeline)
    next(batches)
    os.kill(int(_children()[-1]), signal.SIGKILL)
    with pytest.raises(WorkerError, match="worker 2 was ended by signal 9"):
        for _ in batches:
            pass


def test_the_exit_code_tells_of_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The last worker is killed as soon as it is there: the run says so in one line."""
    before = set(_children())
    ended = threading.Thread(target=_kill_a_new_child, args=(before,))
    ended.start()
    code = run(Options(inputs=[str(PCAPS / "bulk-download.pcap")] * 20, quiet=True, workers=2, batch_frames=20))
    ended.join()
    assert code == ExitCode.WORKER
    assert capfd.readouterr().err.startswith("tapir read: worker ")


def _children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def _kill_a_new_child(before: set[str]) -> None:
    end = time.monotonic() + 60
    while not (new := set(_children()) - before) and time.monotonic() < end:
        os.sched_yield()
    os.kill(int(max(new, key=int)), signal.SIGKILL)
