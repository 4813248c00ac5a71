"""Runs every test that proves a control, keeps how they ended, and writes the tables of docs/controls.md anew.

python tools/control_report.py                     all of them
python tools/control_report.py tests/unit/risk     those of some paths; the others keep their results
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.fault_report import main  # noqa: E402 - found once the line above has run
from tools.fault_runs import CONTROLS_RECORD  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], mark="control", record=CONTROLS_RECORD, page=ROOT / "docs" / "controls.md"))
