"""The board on paper, in exact millimetres: PDF or PNG of a whole page (OpenCV and Pillow).

One pixel is a tenth of a millimetre: A4 and Letter, and boards whose squares are whole tenths, come out without any
rounding. A ruler below the board tells whether the printer kept the scale.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from engines.errors import UserError
from realtime.calibration.board import Board

PAPERS_MM: Final = {"a4": (210.0, 297.0), "letter": (215.9, 279.4)}
PX_PER_MM: Final = 10
DPI: Final = 254
SUFFIXES: Final = (".pdf", ".png")
_MARGIN_MM: Final = 8.0
"""What printers leave white."""
FOOT_MM: Final = 14.0
_RULER_MM: Final = 100


def write_sheet(board: Board, paper: str, path: Path) -> None:
    """Write the page. Raises UserError if the board does not fit on it, or the file cannot be written."""
    page = draw_sheet(board, paper)
    image = Image.fromarray(page).convert("1", dither=Image.Dither.NONE)  # lossless in a PDF, where grey would be JPEG
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".pdf":
            image.save(path, "PDF", resolution=DPI, title=_title(board))
        else:
            image.save(path, "PNG", dpi=(DPI, DPI))
    except OSError as error:
        raise UserError(f"{path}: the board cannot be written ({error.strerror or error})") from error


def draw_sheet(board: Board, paper: str) -> NDArray[np.uint8]:
    """(H, W) uint8, black and white, 10 px a millimetre; the board in the middle of what lies above the foot."""
    width_mm, height_mm = PAPERS_MM[paper]
    side = round(board.square_mm * PX_PER_MM)
    board_px = side * board.columns, side * board.rows
    room_mm = width_mm - 2 * _MARGIN_MM, height_mm - 2 * _MARGIN_MM - FOOT_MM
    if any(px > mm * PX_PER_MM for px, mm in zip(board_px, room_mm, strict=True)):
        raise UserError(
            f"{board.columns}x{board.rows} squares of {board.square_mm:g} mm do not fit on {paper}, which has room for "
            f"{room_mm[0]:.0f} x {room_mm[1]:.0f} mm; take a smaller --square-mm or other --squares"
        )
    page = np.full((round(height_mm * PX_PER_MM), round(width_mm * PX_PER_MM)), 255, np.uint8)
    left = (page.shape[1] - board_px[0]) // 2
    top = round((_MARGIN_MM + (room_mm[1] - board.square_mm * board.rows) / 2) * PX_PER_MM)
    page[top : top + board_px[1], left : left + board_px[0]] = _board(board, board_px)
    return _with_foot(page, board)


def _board(board: Board, size_px: tuple[int, int]) -> NDArray[np.uint8]:
    if board.kind == "charuco":
        return np.asarray(board.pattern.generateImage(size_px, marginSize=0, borderBits=1), np.uint8)
    x, y = np.meshgrid(np.arange(board.columns), np.arange(board.rows))
    side = size_px[0] // board.columns
    return np.kron(((x + y) % 2 * 255).astype(np.uint8), np.ones((side, side), np.uint8))


def _with_foot(page: NDArray[np.uint8], board: Board) -> NDArray[np.uint8]:
    """A ruler of 100 mm and what the board is."""
    image = Image.fromarray(page)
    draw = ImageDraw.Draw(image)
    bottom = page.shape[0] - round(_MARGIN_MM * PX_PER_MM)
    left = (page.shape[1] - _RULER_MM * PX_PER_MM) // 2
    font = ImageFont.load_default(size=32)
    for mm in range(0, _RULER_MM + 1):
        height = 50 if mm % 10 == 0 else 25
        x = left + mm * PX_PER_MM
        draw.line([(x, bottom - 45 - height), (x, bottom - 45)], fill=0, width=2)
    draw.text((page.shape[1] / 2, bottom), f"{_title(board)}; this ruler is 100 mm", fill=0, font=font, anchor="ms")
    return np.asarray(image, np.uint8)


def _title(board: Board) -> str:
    return f"{board.kind} {board.columns}x{board.rows} squares of {board.square_mm:g} mm: print at 100 %, lay it flat"
