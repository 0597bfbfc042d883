"""Tables as CSV that a spreadsheet shows and never runs."""

import csv
import io
from collections.abc import Iterable, Sequence

# what makes spreadsheets take a cell for a formula, the full-width forms of Asian input methods included (OWASP, "CSV Injection")
RUNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
BOM = "\ufeff"  # tells a spreadsheet that the text is UTF-8
Cell = str | int | float | None


def defused(text: str) -> str:
    """Text as a cell that is shown: an apostrophe goes before what would run, blanks or not before it."""
    return f"'{text}" if text.lstrip(" ").startswith(RUNS) else text


def table(titles: Sequence[str], rows: Iterable[Sequence[Cell]], *, bom: bool = False) -> bytes:
    """UTF-8 CSV by RFC 4180; text is defused, numbers stay numbers, None is an empty cell."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([defused(title) for title in titles])
    for row in rows:
        writer.writerow([defused(cell) if isinstance(cell, str) else "" if cell is None else cell for cell in row])
    return ((BOM if bom else "") + out.getvalue()).encode()
