"""What all tests share: the modules of `tests/support`, imported as ``tests.support.…``, and repeatable examples."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

if str(ROOT) not in sys.path:  # however pytest was started
    sys.path.insert(0, str(ROOT))

settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")
