"""The kernel cache is code: private or refused, and survived when damaged or written by two at once; kernels run
without it too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
KERNEL = """
from sensor._jit import I64s, kernel

@kernel
def total(numbers: I64s, n: int) -> int:
    found = 0
    for i in range(n):
        found += numbers[i]
    return found
"""
USE = """
import numpy as np
from small import total
print(total(np.arange(5), 5))
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a small kernel and a cache of its own."""
    (tmp_path / "small.py").write_text(KERNEL)
    (tmp_path / "cache").mkdir(mode=0o700)
    return tmp_path


def start(home: Path, code: str = USE) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(home), str(ROOT)])
    environment = {
        **os.environ,
        "TAPIR_CACHE": str(home / "cache"),
        "PYTHONPATH": paths,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        cwd=home,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run(home: Path, code: str = USE) -> tuple[str, str]:
    """What it printed, and the last line of its complaints."""
    said, complaints = start(home, code).communicate(timeout=120)
    return said.strip(), complaints.strip().rpartition("\n")[2]


def kernels_folder(home: Path) -> Path:
    (found,) = (home / "cache").glob("kernels-*")
    return found


def cached(home: Path) -> list[Path]:
    return [path for path in kernels_folder(home).rglob("*") if path.is_file()]


def test_the_cache_is_made_private(home: Path) -> None:
    assert run(home) == ("10", "")
    assert kernels_folder(home).stat().st_mode & 0o777 == 0o700
    assert cached(home)


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o755])
def test_a_cache_that_others_reach_is_refused(home: Path, mode: int) -> None:
    run(home, "import sensor._jit")
    kernels_folder(home).chmod(mode)
    said, complaint = run(home)
    assert said == ""
    assert complaint.startswith("sensor.errors.CacheError: ")
    assert str(kernels_folder(home)) in complaint


def test_a_link_to_somewhere_else_is_refused(home: Path) -> None:
    run(home, "import sensor._jit")
    folder = kernels_folder(home)
    folder.rename(home / "elsewhere")
    folder.symlink_to(home / "elsewhere")
    assert run(home)[1].startswith("sensor.errors.CacheError: ")


@pytest.mark.parametrize("content", [b"", b"\x80\x04garbage", b"\0" * 500], ids=["empty", "garbage", "zeros"])
def test_a_damaged_cache_is_survived(home: Path, content: bytes) -> None:
    run(home)
    for path in cached(home):
        path.write_bytes(content)
    assert run(home) == ("10", "")
    assert run(home) == ("10", "")


def test_a_cache_cut_short_is_survived(home: Path) -> None:
    run(home)
    for path in cached(home):
        path.write_bytes(path.read_bytes()[:-50])
    assert run(home) == ("10", "")


def test_two_that_compile_at_once_do_not_disturb_each_other(home: Path) -> None:
    both = [start(home) for _ in range(2)]
    assert [process.communicate(timeout=120) for process in both] == [("10\n", "")] * 2
    assert run(home) == ("10", "")


def test_other_types_than_the_annotated_are_refused(home: Path) -> None:
    assert "TypeError" in run(home, USE.replace("np.arange(5)", "np.arange(5.0)"))[1]


READ_AT = """
from sensor._jit import Bytes, at, kernel

@kernel
def read(data: Bytes, offset: int) -> int:
    return at(data, offset)
"""
READ_OUTSIDE = """
import numpy as np
from small import read
for offset in (-1, 5, 2**40, -(2**63)):
    try:
        read(np.arange(5, dtype=np.uint8), offset)
    except IndexError:
        print("no")
"""


def test_negative_and_far_offsets_raise(home: Path) -> None:
    (home / "small.py").write_text(READ_AT)
    assert run(home, READ_OUTSIDE) == ("no\nno\nno\nno", "")


def test_kernels_run_as_plain_python() -> None:
    files = [
        "tests/reassembly/test_order.py",
        "tests/protocols/http1/test_framing.py",
        "tests/protocols/http1/test_secrets.py",
    ]
    chosen = "out_of_order or wrap or first_copy or chunk or pipelining or interim or secrets_are_replaced"
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *files, "-k", chosen]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert result.returncode == 0, result.stdout[-3_000:]


def test_another_copy_of_the_same_sources_finds_what_is_compiled(home: Path) -> None:
    run(home)
    before = {path: path.stat().st_mtime_ns for path in cached(home)}
    (home / "elsewhere").mkdir()
    (home / "small.py").rename(home / "elsewhere" / "small.py")
    copy = f"import sys; sys.path.insert(0, {str(home / 'elsewhere')!r})\n"
    assert run(home, copy + USE) == ("10", "")
    assert {path: path.stat().st_mtime_ns for path in cached(home)} == before


LOADED_ONLY = USE + "import sys; print('numba.np.linalg' in sys.modules)\n"
ANOTHER = KERNEL.replace("def total", "def largest").replace("found += numbers[i]", "found = max(found, numbers[i])")


def test_what_is_compiled_is_loaded_without_all_that_compiling_takes(home: Path) -> None:
    assert run(home, LOADED_ONLY) == ("10\nTrue", "")
    assert run(home, LOADED_ONLY) == ("10\nFalse", "")


def test_a_kernel_is_compiled_after_others_were_loaded(home: Path) -> None:
    run(home)
    (home / "another.py").write_text(ANOTHER)
    assert run(home, USE + "from another import largest\nprint(largest(np.arange(5), 5))\n") == ("10\n4", "")
