"""A server's key and certificate for the tests of TLS."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate that it signed itself."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("pair")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -keyout key.pem -out cert.pem -subj"
    subject = "/C=DE/O=Lab, Inc/CN=api.example.com"
    subprocess.run([*command.split(), subject], cwd=folder, capture_output=True, timeout=60, check=True)
    return folder
