"""Lay all figures of the finished runs out on one sheet: reports/measured/contact-sheet.png.

python tools/contact_sheet.py [REPORTS]    # by default reports/, as `make reproduce` fills it
"""

import json
import sys
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parent.parent
COLUMNS, WIDTH, GAP, TEXT = 4, 420, 12, 15


def figures(reports: Path) -> list[tuple[str, Path]]:
    """Return a title and the file of every figure, run by run in the order of their notebooks."""
    found = []
    for record in sorted(reports.glob("*/*/run.json")):
        name = json.loads(record.read_text(encoding="utf-8"))["notebook"]
        for path in sorted(
            (record.parent / "figures").glob("*.png"), key=lambda p: p.stat().st_mtime
        ):
            found.append((f"{Path(name).stem}: {path.stem}", path))
    return found


def sheet(named: list[tuple[str, Path]]) -> Image.Image:
    """Return the sheet: columns of equal width, each figure at the foot of the shortest."""
    font = ImageFont.truetype(
        str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), TEXT - 3
    )
    heights, placed = [GAP] * COLUMNS, []
    for title, path in named:
        with Image.open(path) as image:
            small = image.convert("RGB")
        small.thumbnail((WIDTH, 4 * WIDTH), Image.LANCZOS)
        column = heights.index(min(heights))
        placed.append((title, small, column, heights[column]))
        heights[column] += small.height + TEXT + 2 * GAP
    whole = Image.new("RGB", (COLUMNS * (WIDTH + GAP) + GAP, max(heights)), "white")
    pen = ImageDraw.Draw(whole)
    for title, small, column, top in placed:
        left = GAP + column * (WIDTH + GAP)
        pen.text((left, top), title, fill="#444444", font=font)
        whole.paste(small, (left, top + TEXT + 2))
    return whole


def main() -> int:
    """Write the sheet."""
    named = figures(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "reports")
    if not named:
        print("no finished run has a figure; run `make reproduce` first")
        return 1
    path = ROOT / "reports" / "measured" / "contact-sheet.png"
    sheet(named).quantize(128).save(path, optimize=True)
    print(f"{path}: {len(named)} figures")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
