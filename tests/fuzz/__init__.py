"""Mutated packets and files; memory as the command `tapir` has it, see sensor/__main__.py."""

import os

os.environ.setdefault("NUMPY_MADVISE_HUGEPAGE", "0")
