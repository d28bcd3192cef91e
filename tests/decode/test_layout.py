"""A tunnel is one file with a `step`, one line in walk.py's table and one test file; a layer number is one branch."""

import re
from pathlib import Path

import sensor.decode
from sensor.decode.layers import BY_PORT, IP, OWN, Layer
from sensor.decode.reasons import Reason
from sensor.decode.stage import UDP_TUNNELS

FOLDER = Path(sensor.decode.__file__).parent
WALK = (FOLDER / "walk.py").read_text()
TUNNELS = {path.stem for path in (FOLDER / "tunnels").glob("*.py")} - {"__init__"}


def test_every_tunnel_has_its_line_and_its_test():
    tests = {path.stem.removeprefix("test_") for path in (Path(__file__).parent / "tunnels").glob("test_*.py")}
    lines = set(re.findall(r"return (\w+)\.\w*step\(", WALK[WALK.index("def tunnel_step") : WALK.index("def walk")]))
    assert TUNNELS == tests == lines


def test_every_layer_is_walked():
    named = set(re.findall(r"Layer\.(\w+)", "".join(path.read_text() for path in FOLDER.rglob("*.py"))))
    assert named == set(Layer.__members__)
    branches = set(re.findall(r"layer == Layer\.(\w+)", WALK))
    inside_gre_only = {"PPP_IN_GRE", "WCCP"}
    assert branches | inside_gre_only == set(Layer.__members__)


def test_layer_numbers_are_of_three_spaces():
    assert all(layer < 0 or layer < IP or layer < IP + 256 or layer >= OWN for layer in Layer)
    assert {layer for layer in Layer if layer > BY_PORT} == {layer for _, layer in UDP_TUNNELS}


def test_every_reason_is_given_somewhere():
    given = set(re.findall(r"Reason\.(\w+)", "".join(path.read_text() for path in FOLDER.rglob("*.py"))))
    assert given == set(Reason.__members__)
