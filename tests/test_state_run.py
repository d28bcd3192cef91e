"""Runs with `--state`: what one learned the next one knows, and a killed one ends as if it had gone on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from shutil import copyfile

import pytest

import sensor
from sensor.cli.reading import Options, run
from sensor.config import Settings, StateSettings
from sensor.errors import StateError
from sensor.pipeline import Pipeline

PCAPS = Path(__file__).resolve().parents[1] / "pcaps"
CAPTURE = PCAPS / "hydra-form.pcap"
OF_ONE_RUN = ("epoch", "detection_ts")

KILLED = """
import sys
from sensor.config import AlertingSettings, CaptureSettings, Settings, StateSettings, WorkerSettings
from sensor.pipeline import Pipeline
capture, folder, batches, workers = sys.argv[1:]
state = StateSettings(folder=folder, checkpoint_seconds=0.5)
settings = Settings(state=state, capture=CaptureSettings(batch_frames=5), alerting=AlertingSettings(sensor="lab"),
                    workers=WorkerSettings(count=int(workers)))
pipeline = Pipeline(settings, [capture])
for number, _ in enumerate(pipeline):
    if number >= int(batches) and pipeline.counters()["state"]["saved"]:
        print("waiting", flush=True)
        sys.stdin.read()
"""


def read(capture: Path, outputs: Path, state: Path | None, *overrides: str) -> dict[str, list[str]]:
    """The lines of all outputs, without what tells one run from another."""
    outputs.mkdir()
    paths = {name: str(outputs / f"{name}.jsonl") for name in ("alerts", "transactions", "flows")}
    options = Options(
        inputs=[str(capture)], **paths, quiet=True, sensor="lab", state=str(state or ""), overrides=overrides
    )
    assert run(options) == 0
    lines = {name: Path(path).read_text().splitlines() for name, path in paths.items()}
    alerts = [json.loads(line) for line in lines["alerts"]]
    lines["alerts"] = [json.dumps({key: alert[key] for key in alert if key not in OF_ONE_RUN}) for alert in alerts]
    return lines


def kill_midway(capture: Path, state: Path, batches: int, workers: int = 1) -> None:
    """Read a capture in a process of its own, and kill it after some batches and at least one checkpoint."""
    command = [sys.executable, "-c", KILLED, str(capture), str(state), str(batches), str(workers)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.kill()


@pytest.mark.parametrize("batches", [1, 12])
@pytest.mark.parametrize("name", ["hydra-form", "bulk-download"])
def test_a_killed_run_ends_as_if_it_had_gone_on(name: str, batches: int, tmp_path: Path) -> None:
    capture, state = PCAPS / f"{name}.pcap", tmp_path / "state"
    whole = read(capture, tmp_path / "whole", tmp_path / "other")
    assert whole["alerts"]
    state.mkdir()
    copyfile(tmp_path / "other" / "fingerprint.key", state / "fingerprint.key")
    (state / "fingerprint.key").chmod(0o600)
    kill_midway(capture, state, batches)
    assert read(capture, tmp_path / "resumed", state) == whole


def test_a_killed_run_of_several_workers_goes_on_with_any_number_of_them(tmp_path: Path) -> None:
    whole = read(CAPTURE, tmp_path / "whole", tmp_path / "other")
    for before, after in ((2, 1), (1, 3), (3, 2)):
        state = tmp_path / f"state{before}{after}"
        state.mkdir()
        copyfile(tmp_path / "other" / "fingerprint.key", state / "fingerprint.key")
        (state / "fingerprint.key").chmod(0o600)
        kill_midway(CAPTURE, state, 3, before)
        assert read(CAPTURE, tmp_path / f"{before}{after}", state, f"workers.count={after}") == whole


def test_what_was_judged_before_the_kill_is_not_judged_again(tmp_path: Path) -> None:
    kill_midway(CAPTURE, tmp_path / "state", 3)
    settings = Settings(state=StateSettings(folder=str(tmp_path / "state")))
    pipeline = Pipeline(settings, [str(CAPTURE)])
    assert pipeline.notes[0].startswith("resumes a run that was broken off after")
    rows = sum(len(batch.transactions) for batch in pipeline)
    counts = pipeline.counters()
    assert counts["state"]["resumed"] == 1
    assert 0 < counts["detection"]["transactions"] < rows


def test_other_inputs_do_not_resume_it(tmp_path: Path) -> None:
    kill_midway(CAPTURE, tmp_path / "state", 3)
    settings = Settings(state=StateSettings(folder=str(tmp_path / "state")))
    pipeline = Pipeline(settings, [str(PCAPS / "bulk-download.pcap")])
    assert pipeline.notes == ["the last run with this state was broken off, over other inputs: it is not resumed"]
    assert pipeline.counters()["state"]["resumed"] == 0
    assert len([*pipeline]) > 1


def test_the_next_run_knows_what_the_last_one_learned(tmp_path: Path) -> None:
    first = sensor.read(CAPTURE, state=tmp_path)
    assert first.counters["state"]["saved"] >= 1
    second = sensor.read(CAPTURE, state=tmp_path)
    counts = second.counters["state"]
    assert counts["resumed"] == counts["sections_reset"] == 0
    assert counts["sections_restored"] >= 6  # alerts, entities, and the detectors that remember


def test_a_changed_setting_costs_that_memory_alone(tmp_path: Path) -> None:
    sensor.read(CAPTURE, state=tmp_path)
    options = Options(
        inputs=[str(CAPTURE)], quiet=True, state=str(tmp_path),
        overrides=["detection.failed_logins.client_failures_max=7"],
    )  # fmt: skip
    assert run(options) == 0
    settings = Settings(state=StateSettings(folder=str(tmp_path)))
    assert Pipeline(settings, [str(CAPTURE)]).notes == [
        "what detection.failed_logins had learned does not fit its present settings: it begins anew"
    ]


def test_the_fingerprint_key_lies_beside_what_it_stands_for(tmp_path: Path) -> None:
    sensor.read(CAPTURE, state=tmp_path)
    key = tmp_path / "fingerprint.key"
    assert key.stat().st_mode & 0o777 == 0o600
    before = (tmp_path / "tapir.state").read_bytes()
    key.unlink()
    with pytest.raises(StateError, match="learned with another fingerprint key"):
        sensor.read(CAPTURE, state=tmp_path)
    assert (tmp_path / "tapir.state").read_bytes() == before


def test_an_unusable_state_is_said_in_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tapir.state").write_text("notes of mine\n")
    assert run(Options(inputs=[str(CAPTURE)], quiet=True, state=str(tmp_path))) == 2
    assert capfd.readouterr().err.startswith(f"tapir read: {tmp_path}/tapir.state: not a whole state of a sensor")
    assert (tmp_path / "tapir.state").read_text() == "notes of mine\n"
