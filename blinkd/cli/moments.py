"""Times and dates on the command line."""

from datetime import date, datetime

import typer

FORMS = "2026-01-31, 2026-01-31T08:30 (the site's local time) or 2026-01-31T08:30:00Z"


def moment(text: str) -> datetime:
    """Parse ISO 8601, with or without an offset; a date alone is its midnight. Wrong usage ends with exit code 2."""
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time; write it like {FORMS}") from None


def day(text: str) -> date:
    """Parse a date. Wrong usage ends with exit code 2."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date; write it like 2026-03-01") from None
