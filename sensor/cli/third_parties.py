"""The inventory of third parties of captures: in: captures; out: a line, or a JSON object, for each party.

The one law: the most called come first.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import typer

from sensor.cli.rules_trial import only
from sensor.config import Settings, ThirdPartiesSettings
from sensor.detection.detector import Batch
from sensor.detection.detectors.third_parties import ThirdParties
from sensor.pipeline import Pipeline

_NONE = np.zeros(0, np.uint8)


def show(captures: Sequence[str], json: bool) -> bool:
    """Print the inventory; returns whether something could not be read."""
    pipeline = Pipeline(Settings(detection=only()), captures)
    detector = ThirdParties(ThirdPartiesSettings(), pipeline.pool)
    for part in pipeline:
        detector.process(
            Batch(part.transactions, part.flows, part.streams, part.now, _NONE, None, tls=part.tls)  # type: ignore[arg-type]
        )
    for name, party in sorted(detector.parties.items(), key=lambda item: (-item[1].calls, item[0])):
        if json:
            typer.echo(msgspec.json.encode({"name": name, **msgspec.to_builtins(party)}).decode())
            continue
        tls = ", ".join(sorted(party.tls)) or "in clear"
        secrets = f", {party.credentials_in_clear} with a credential in clear" if party.credentials_in_clear else ""
        typer.echo(
            f"{name}  {party.calls} calls of {len(party.callers)} callers to {len(party.endpoints)} endpoints, {tls}"
            f"{secrets}, {party.errors} errors"
        )
    for problem in pipeline.faults:
        typer.echo(str(problem), err=True)
    return bool(pipeline.faults)
