"""`tapir` and `python -m sensor`: in: the command line; out: an exit code. Law: it parses arguments, no more."""

from __future__ import annotations

import os

from sensor.cli.app import app


def main() -> None:
    """Run the command that the arguments name."""
    # Tables are larger than what of them is used: in huge pages each row used for the first time clears 2 MB.
    os.environ.setdefault("NUMPY_MADVISE_HUGEPAGE", "0")
    app(prog_name="tapir")


if __name__ == "__main__":
    main()
