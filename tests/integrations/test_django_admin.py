"""The admin of a small Django project, tried in a process of its own: Django is set up once for a process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from integrations.test_django import project


@pytest.mark.slow
def test_its_pages_and_actions(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "django", "test", "shop_admin_tests", "--pattern", "shop_admin_tests.py"],
        env={**project(tmp_path), "DJANGO_SETTINGS_MODULE": "shop_admin_settings"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "Ran 27 tests" in done.stdout
