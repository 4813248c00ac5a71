"""Draws what a workload spends its time on: docs/images/flame-w1.svg and flame-w3.svg.

    make flame                 both
    make flame ARGS="w3"       one of them

py-spy looks at the running program again and again; it lives in an environment of its own, build/flame, which
is made when it is needed. Functions that hang below others were called by them, and width is time.
"""

from __future__ import annotations

import copy
import re
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "build" / "flame"
IMAGES = ROOT / "docs" / "images"
SAMPLER = "py-spy==0.4.3"
SAMPLES_A_SECOND = 200
LEAST_S = 5.0
"""Seconds of work that are looked at, so that chance decides little."""
BARS = 20_000

TITLES = {
    "w1": "W1: an EMA cross with fees, one symbol of minute bars",
    "w1v": "W1V: the same, asked once for all bars",
    "w3": "W3: a market order on every bar",
}
DRAWN = ("w1", "w3")
NARROWEST = 0.4
"""Per cent of the width; what is narrower could not be read."""
_FRAME = re.compile(r"<g><title>[^<]*?([0-9.]+)%\)</title>.*?</g>")
_TITLE = re.compile(r'(<text id="title"[^>]*>)[^<]*(</text>)')


def main(wanted: list[str]) -> int:
    unknown = [name for name in wanted if name not in TITLES]
    if unknown:
        print(f"there is no workload {', '.join(unknown)}; there are {', '.join(TITLES)}", file=sys.stderr)
        return 2
    sampler = _sampler()
    for name in wanted or DRAWN:
        picture = IMAGES / f"flame-{name}.svg"
        command = [str(sampler), "record", "--rate", str(SAMPLES_A_SECOND), "--function", "--output", str(picture)]
        subprocess.run([*command, "--", sys.executable, __file__, "--work", name], check=True, cwd=ROOT)
        text = picture.read_text(encoding="utf-8")
        text = _FRAME.sub(lambda found: found[0] if float(found[1]) >= NARROWEST else "", text)
        picture.write_text(_TITLE.sub(rf"\g<1>{TITLES[name]}\g<2>", text), encoding="utf-8")
        print(f"{picture.relative_to(ROOT)} is drawn")
    return 0


def work(name: str) -> None:
    """Run a workload again and again, prices and imports apart."""
    from tests.support.workloads import EmaCross, EmaCrossVector, EveryBar, prices, traded

    strategies = {"w1": EmaCross(), "w1v": EmaCrossVector(), "w3": EveryBar(BARS)}
    history = prices(BARS, seed=1)
    began = time.process_time()
    while time.process_time() - began < LEAST_S:
        traded(copy.deepcopy(strategies[name]), history)


def _sampler() -> Path:
    """py-spy, installed when it is not there yet."""
    found = PLACE / "bin" / "py-spy"
    if not found.exists():
        print(f"Setting up {PLACE.relative_to(ROOT)}.")
        venv.create(PLACE, with_pip=True, clear=True)
        subprocess.run(
            [PLACE / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", SAMPLER], check=True
        )
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        sys.path.insert(0, str(ROOT))
        work(sys.argv[2])
    else:
        sys.exit(main(sys.argv[1:]))
