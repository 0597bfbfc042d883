"""What somebody asks of a list, from the address of the page: what cannot be understood is said, never guessed."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from blinkd.attendance.supervisor import EARLIEST, LATEST
from blinkd.errors import RequestRefused

MOST_TEXT = 200  # characters of a search
E = TypeVar("E", bound=StrEnum)


def text_of(query: Mapping[str, str], name: str) -> str:
    """A search, cut to what a name may be."""
    return query.get(name, "").strip()[:MOST_TEXT]


def word_of(query: Mapping[str, str], name: str, kinds: type[E]) -> E | None:
    """One of a list of words; None for none. Raises RequestRefused (422)."""
    word = query.get(name, "")
    if not word:
        return None
    try:
        return kinds(word)
    except ValueError:
        raise RequestRefused(422, "filter", f"{name}: there is no {word[:40]!r}; choose one of the list") from None


def date_of(query: Mapping[str, str], name: str) -> date | None:
    """A date as browsers write it; None for none. Raises RequestRefused (422)."""
    text = query.get(name, "").strip()
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise RequestRefused(422, "filter", f"{name}: {text[:40]!r} is no date; write it like 2026-03-31") from None
    if not EARLIEST.date() <= day < LATEST.date():
        raise RequestRefused(422, "filter", f"{name}: dates go from 1970 to 2099; check the year")
    return day


def span_of(query: Mapping[str, str], zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
    """From the beginning of the day `from` to the end of the day `to`, at the site; aware. Raises RequestRefused (422)."""
    first, last = date_of(query, "from"), date_of(query, "to")
    if first is not None and last is not None and last < first:
        raise RequestRefused(422, "filter", f"from {first} to {last}: the end lies before the start; swap them")
    since = None if first is None else datetime.combine(first, time(), zone)
    until = None if last is None else datetime.combine(last + timedelta(days=1), time(), zone)
    return since, until


def number_of(query: Mapping[str, str], name: str) -> int | None:
    """A number of the book; None for none, or for what is no number."""
    text = query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def link(path: str, query: Mapping[str, str], **changes: object) -> str:
    """The same page with some of what is asked changed."""
    kept = {name: value for name, value in query.items() if value and name not in changes}
    return f"{path}?{urlencode({**kept, **{name: str(value) for name, value in changes.items() if value is not None}})}"
