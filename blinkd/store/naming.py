"""Text that people type, made safe to keep and to show: names, ids, labels, notes."""

import re
import unicodedata

from blinkd.errors import EnrolmentRefused

ID_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LONGEST_NAME = 200  # characters
LONGEST_LABEL = 40  # a word or two, as "glasses"
LONGEST_GROUP = 60  # a department, a site
LONGEST_CONSENT = 500  # a sentence or two: how it was given, and where it is filed
JOINERS = "\u200c\u200d"  # Persian and the scripts of India spell with them, and emoji of several people are joined by the second


def check_id(person_id: str) -> None:
    """Raise EnrolmentRefused(bad_id) unless it is letters, digits, dots, dashes and underscores."""
    if not ID_FORM.fullmatch(person_id):
        raise EnrolmentRefused("bad_id", f"id {person_id!r}: use up to 64 letters, digits, dots, dashes and underscores")


def clean_name(name: str) -> str:
    """Return the name with runs of white space (line breaks too) as one blank, in Unicode's composed form.

    Quotes, emoji and every script are kept. Raises EnrolmentRefused(bad_name) for an empty or overlong one, for one of which nothing
    shows, and for characters that do not show or turn the reading direction of what follows.
    """
    return _clean(name, "name", LONGEST_NAME)


def clean_label(label: str) -> str:
    """The same for a label; an empty one stays empty. Raises EnrolmentRefused(bad_label)."""
    return _clean(label, "label", LONGEST_LABEL) if label.strip() else ""


def clean_group(group: str) -> str:
    """The same for a group's name. Raises EnrolmentRefused(bad_group)."""
    return _clean(group, "group", LONGEST_GROUP)


def clean_consent(consent: str) -> str:
    """The same for the note on how consent was given. Raises EnrolmentRefused(bad_consent)."""
    return _clean(consent, "consent", LONGEST_CONSENT)


def _clean(text: str, what: str, longest: int) -> str:
    reason = f"bad_{what}"
    cleaned = unicodedata.normalize("NFC", " ".join(text.split()))
    if not cleaned:
        raise EnrolmentRefused(reason, f"the {what} is empty; give --{what}")
    if len(cleaned) > longest:
        raise EnrolmentRefused(reason, f"the {what} has {len(cleaned)} characters; shorten it to {longest}")
    for character in cleaned:
        if _hides(character):
            raise EnrolmentRefused(reason, f"the {what} holds the invisible character U+{ord(character):04X}; leave it out")
    if all(unicodedata.category(character)[0] in "MCZ" for character in cleaned):
        raise EnrolmentRefused(reason, f"nothing of the {what} shows: it holds marks and joiners only; give --{what} with letters")
    return cleaned


def _hides(character: str) -> bool:
    """Whether it is a control, half of a surrogate pair, private, no character at all, or a format character that spelling does not need."""
    category, code = unicodedata.category(character), ord(character)
    if category == "Cn":
        # not yet known to this Python is allowed (new emoji), never to be one is not
        return code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    return category in ("Cc", "Cs", "Co") or (category == "Cf" and character not in JOINERS)
