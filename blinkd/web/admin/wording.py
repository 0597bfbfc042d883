"""The words of errors as a page says them: without the options of a command that nobody has typed here."""

import re

from blinkd.errors import BlinkdError, EnrolmentRefused

OPTION = re.compile(r" \(--[a-z-]+\)")
COMMAND = re.compile(r"[;,][^;]*(--[a-z]|\bblinkd )[^;]*")  # a remedy that is a command

INSTEAD = {  # of what only a command's option would mend
    "no_consent": "templates are replaced with the person's consent only; write down how it was given",
    "several_people": "the pictures do not all show this person; begin the pictures anew",
}


def plain(error: BlinkdError) -> str:
    """In words, as a sentence."""
    words = INSTEAD.get(error.reason) if isinstance(error, EnrolmentRefused) else None
    return sentence(words or COMMAND.sub("", OPTION.sub("", str(error))))


def sentence(words: str) -> str:
    """With a capital, and a full stop."""
    said = words.strip()
    return said[:1].upper() + said[1:] + ("" if said.endswith((".", "?", "!")) else ".")
