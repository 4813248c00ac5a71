"""Prices of a simulated market that are made once for many runs over the same history, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from quant_trading_system.simulation.blocks import Block
from quant_trading_system.simulation.price_rows import PriceRows

KEPT_BYTES = 2**27
"""Memory that kept blocks may take; blocks beyond it are made anew in each run."""
_BYTES_OF_A_BLOCK = 4096
"""What a block takes beside the prices of its steps."""
_BYTES_OF_A_STEP = 160
"""What a step takes beside its prices once somebody has asked when it is."""


class KeptRows(PriceRows):
    """Keeps the blocks that it has made, from the first on, as long as there is room."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Take what `PriceRows` takes."""
        super().__init__(*arguments, **options)
        self._kept: list[Block] = []
        self._room = KEPT_BYTES

    def blocks(self, first: int = 0) -> Iterator[Block]:
        """As of any rows; a block that was kept is the same one, and can be read only."""
        number = first
        while number < len(self._kept):
            yield self._kept[number]
            number += 1
        for block in super().blocks(number):
            if number == len(self._kept):
                self._keep(block)
            number += 1
            yield block

    def _keep(self, block: Block) -> None:
        sides = block.last, block.bid, block.ask, block.volume
        self._room -= _BYTES_OF_A_BLOCK + _BYTES_OF_A_STEP * len(block) + sum(side.nbytes for side in sides)
        if self._room >= 0:
            for side in sides:
                side.setflags(write=False)
            self._kept.append(block)
