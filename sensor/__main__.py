"""`tapir` and `python -m sensor`: in: the command line; out: an exit code. Law: it parses arguments, no more."""

from __future__ import annotations

from sensor.cli.app import app


def main() -> None:
    """Run the command that the arguments name."""
    app(prog_name="tapir")


if __name__ == "__main__":
    main()
