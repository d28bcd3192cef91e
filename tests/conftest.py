"""For all tests: in continuous integration a skipped test is a failure, unless what it needs cannot be installed."""

from __future__ import annotations

import gc
import os

import pytest
from hypothesis import settings

from sensor.structures.heap import map_large_tables, trim_heap

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("hand", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "hand")

map_large_tables()

EXCUSES = ("shared", "no IPv6", "no user namespaces", "no CPU quota", "suricata")
"""The folder beside the checkout that holds captures of others, properties of the host, and a peer that Debian has in
its backports alone.
"""


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """A run of the sensor makes its tables to stay until its process ends (sensor/cli/starting.py); here others follow.
    """
    if gc.get_freeze_count():
        gc.unfreeze()
        gc.collect()
        trim_heap()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("CI") or reporter is None:
        return
    reasons = [str(report.longrepr) for report in reporter.stats.get("skipped", [])]
    unexcused = [reason for reason in reasons if not any(excuse in reason for excuse in EXCUSES)]
    if unexcused:
        reporter.write_line("skipped, which continuous integration does not allow:\n" + "\n".join(unexcused), red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
