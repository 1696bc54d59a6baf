"""What the pair detector is asked and what it answers (no torch; any thread)."""

from __future__ import annotations

from typing import Final, Literal

Kind = Literal["right", "left", "pair"]
KINDS: Final[tuple[Kind, ...]] = ("right", "left", "pair")
"""What it looks for. A pair is two hands so near that they share a crop; each is there by itself, too."""
PAIR: Final = KINDS.index("pair")
PICTURE_PX: Final = 192
"""Side of the square picture that it sees: the whole one, reduced, its shorter side filled up with black."""
CELL_PX: Final = 8
CELLS: Final = PICTURE_PX // CELL_PX
BOX_GROWTH: Final = 0.1
"""Of the joints' extent, added on each side: its boxes are as InterHand2.6M's."""
INPUT: Final = "picture_bgr"
"""Of the graph: (1, 192, 192, 3) bytes, blue first."""
MAPS: Final = ("heat", "offset", "log_size", "up")
"""Its outputs, as `training.pairs.network.PairMaps` has them."""
