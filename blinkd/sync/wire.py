"""Reads JSON from the network: nothing is taken that the other side would not have written."""

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from blinkd.crypto.chain import canonical
from blinkd.crypto.encoding import unb64
from blinkd.crypto.envelope import Envelope
from blinkd.errors import EnvelopeRejected, MessageRejected
from blinkd.sync.topics import is_name

LONGEST_MESSAGE = 1 << 20  # bytes; the broker of config/ takes no longer ones either
GREATEST = 2**53 - 1  # whole numbers up to there are the same in every reader of JSON
LONGEST_WORDS = 500
LONGEST_OPEN = 262_144  # bytes of an open record, as of the largest envelope: with its certificate it must fit into a page
DEEPEST = 16  # levels of an open record: whoever works with it later may have less of the stack left than its reader had
RECORD_ID = re.compile(r"[A-Za-z0-9._-]{1,160}")
WORD = re.compile(r"[a-z0-9_]{1,40}")


def reject(what: str) -> NoReturn:
    """Raise MessageRejected (malformed)."""
    raise MessageRejected("malformed", what)


def load(data: bytes) -> Mapping[str, Any]:
    """The object in a message. Raises MessageRejected: too_large, malformed."""
    if len(data) > LONGEST_MESSAGE:
        raise MessageRejected("too_large", f"{len(data)} bytes; a message has {LONGEST_MESSAGE} at most")
    try:
        text = data.decode()  # json.loads would also take UTF-16, UTF-32, and half of a surrogate pair
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=lambda name: reject(f"{name} is no number"))
    except (ValueError, RecursionError):
        raise MessageRejected("malformed", "not JSON") from None
    if not isinstance(value, dict):
        reject("not a JSON object")
    return value


def dump(value: Mapping[str, Any]) -> bytes:
    """A message's bytes."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


class Reader:
    """One JSON object, read member by member. Every method raises MessageRejected, which names the member."""

    __slots__ = ("_members", "_where")

    def __init__(self, value: object, where: str, required: frozenset[str], optional: frozenset[str] = frozenset()) -> None:
        if not isinstance(value, Mapping):
            reject(f"{where} is no object")
        if missing := required - value.keys():
            reject(f"{where}: {min(missing)} is missing")
        if len(value) > len(required) and (unknown := value.keys() - required - optional):
            reject(f"{where}: unknown member {min(unknown)[:40]!a}")
        self._members, self._where = value, where

    def __contains__(self, name: str) -> bool:
        """Whether a member is there."""
        return name in self._members

    def version(self, wanted: int) -> None:
        """The member v must be this."""
        if type(self._members["v"]) is not int or self._members["v"] != wanted:
            raise MessageRejected("other_version", f"{self._where}: version {str(self._members['v'])[:20]!a}; this blinkd speaks {wanted}")

    def number(self, name: str, least: int = 0, most: int = GREATEST) -> int:
        """A whole number."""
        value = self._members[name]
        if type(value) is not int or not least <= value <= most:
            reject(f"{self._where}: {name} is no whole number from {least} to {most}")
        return value

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self._members[name]
        if not isinstance(value, bool):
            reject(f"{self._where}: {name} is not true or false")
        return value

    def binary(self, name: str, length: int | None = None) -> bytes:
        """Bytes in base64."""
        try:
            return unb64(self._members[name], length)
        except ValueError as error:
            reject(f"{self._where}: {name}: {error}")

    def some_binary(self, name: str, length: int) -> bytes | None:
        """Bytes in base64, or null."""
        return None if self._members.get(name) is None else self.binary(name, length)

    def name(self, name: str) -> str:
        """An organisation's or terminal's id."""
        value = self._members[name]
        if not isinstance(value, str) or not is_name(value):
            reject(f"{self._where}: {name} is no id of letters, digits, dots, hyphens and underscores")
        return value

    def matching(self, name: str, pattern: re.Pattern[str]) -> str:
        """A text of a certain form."""
        value = self._members[name]
        if not isinstance(value, str) or pattern.fullmatch(value) is None:
            reject(f"{self._where}: {name} has not the form {pattern.pattern}")
        return value

    def one_of(self, name: str, words: frozenset[str]) -> str:
        """One of these words."""
        value = self._members[name]
        if not isinstance(value, str) or value not in words:
            reject(f"{self._where}: {name} is none of {', '.join(sorted(words))}")
        return value

    def words(self, name: str, longest: int = LONGEST_WORDS) -> str:
        """A text for people to read."""
        value = self._members[name]
        if not isinstance(value, str) or len(value) > longest or not _encodes(value):
            reject(f"{self._where}: {name} is no text of at most {longest} characters")
        return value

    def items(self, name: str, least: int, most: int) -> list[Any]:
        """A list."""
        value = self._members[name]
        if not isinstance(value, list) or not least <= len(value) <= most:
            reject(f"{self._where}: {name} is no list of {least} to {most}")
        return value

    def envelope(self, name: str) -> Envelope | None:
        """An envelope, or null."""
        value = self._members[name]
        if value is None:
            return None
        try:
            return Envelope.of(value)
        except EnvelopeRejected as error:
            reject(f"{self._where}: {name}: {error}")

    def plain(self, name: str) -> Mapping[str, Any] | None:
        """An object that `canonical` takes and that is no longer than LONGEST_OPEN, or null."""
        value = self._members[name]
        if value is None:
            return None
        if not isinstance(value, dict):
            reject(f"{self._where}: {name} is no object")
        if deeper_than(value, DEEPEST):
            reject(f"{self._where}: {name} is nested deeper than {DEEPEST}")
        try:
            size = len(canonical(value))
        except (ValueError, RecursionError):
            reject(f"{self._where}: {name} has no canonical form")
        if size > LONGEST_OPEN:
            reject(f"{self._where}: {name} has {size} bytes; {LONGEST_OPEN} are the most")
        return value

    def member(self, name: str) -> object:
        """As it is; None when it is not there."""
        return self._members.get(name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which no member stands twice: readers differ in which of them they take."""
    value = dict(pairs)
    if len(value) != len(pairs):
        reject("a member stands twice")
    return value


def deeper_than(value: object, levels: int) -> bool:
    """Whether lists and objects are nested deeper."""
    layer = [value]
    for _ in range(levels + 1):
        layer = [inner for one in layer if isinstance(one, dict | list) for inner in (one.values() if isinstance(one, dict) else one)]
    return bool(layer)


def _encodes(text: str) -> bool:
    """Whether it can be written in UTF-8: JSON may hold half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
