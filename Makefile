# Needs make and Python 3.11 or later with venv, nothing else. Every target may be run again at any time.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 5556
WORKERS ?= 2
.DEFAULT_GOAL := demo
.PHONY: demo test lint bench pcaps install uninstall clean

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tapir needs Python 3.11 or later")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/installed-for-tests: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@ $(VENV)/installed

# A collector is started, the captures of pcaps/ are read, and the alerts arrive over ZeroMQ; the collector is ended at the end.
demo: $(VENV)/installed
	@set -e; address=tcp://127.0.0.1:$(PORT); \
	$(BIN)/tapir collect $$address --timeout 600 & collector=$$!; \
	trap 'kill $$collector 2>/dev/null; wait $$collector || true' EXIT; \
	timeout 600 $(BIN)/tapir read pcaps --publish $$address --wait-subscribers 1

# What tests run beside Tapir (TShark, PostgreSQL, Redis ...) is installed where this user may, otherwise those tests say why
# they skip.
test: $(VENV)/installed-for-tests
	tests/install-programs
	$(BIN)/tapir warm
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile

lint: $(VENV)/installed-for-tests
	$(BIN)/ruff check .
	$(BIN)/mypy

# As root: tests/bench/install-peers first, for Suricata, NFStream and TShark beside Tapir. Needs about 20 GB in the temporary folder.
bench: $(VENV)/installed-for-tests
	$(BIN)/python tests/bench/compare.py
	$(BIN)/python tests/bench/curve.py

# Records the captures again: as root, with the programs that pcaps/record.py names.
pcaps: $(VENV)/installed-for-tests
	$(BIN)/python -m pip install --quiet requests
	$(BIN)/python pcaps/record.py

# As root: /opt/tapir, systemd units, user and folders on this host; docs/deploy.md.
install:
	systemd/install

uninstall:
	systemd/uninstall

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
