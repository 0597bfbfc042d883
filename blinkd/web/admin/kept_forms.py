"""What somebody had typed when the session ended: kept in memory until they are back, so that nothing is lost."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

MOST_KEPT = 32  # forms at once
KEPT_S = 3600.0  # longer than a break
SECRET_WORDS = ("password", "code", "pin")  # in the names of fields that are never kept: they are typed anew


@dataclass(frozen=True, slots=True)
class KeptForm:
    """operator: whose it is, and who alone is shown it; path: where it was going; fields: name and values, no files, no secrets."""

    operator: int
    path: str
    fields: Mapping[str, tuple[str, ...]]
    at_s: float

    @property
    def lacks_secrets(self) -> bool:
        """Whether something must be typed anew, so that it cannot simply be sent."""
        return SECRETS_LEFT_OUT in self.fields


SECRETS_LEFT_OUT = "\x00secrets"  # no form has a field of this name


class KeptForms:
    """By the SHA-256 of the session's token."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, KeptForm] = OrderedDict()

    def keep(self, token: bytes, operator: int, path: str, fields: Mapping[str, tuple[str, ...]], now_s: float) -> None:
        """The newest of a session. now_s: seconds since boot."""
        kept = {name: values for name, values in fields.items() if name != "csrf" and not _secret(name)}
        if any(_secret(name) for name in fields):
            kept[SECRETS_LEFT_OUT] = ()
        with self._lock:
            self._kept[token] = KeptForm(operator, path, kept, now_s)
            self._kept.move_to_end(token)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)

    def hand_over(self, old: bytes, new: bytes, operator: int) -> bool:
        """Somebody has logged in anew: whether there is something of theirs. What is somebody else's is forgotten."""
        with self._lock:
            form = self._kept.pop(old, None)
            if form is None or form.operator != operator:
                return False
            self._kept[new] = form
            return True

    def of(self, token: bytes, now_s: float) -> KeptForm | None:
        """What there is."""
        with self._lock:
            form = self._kept.get(token)
            if form is not None and now_s - form.at_s > KEPT_S:
                del self._kept[token]
                return None
            return form

    def drop(self, token: bytes) -> None:
        """It was sent, or is not wanted."""
        with self._lock:
            self._kept.pop(token, None)


def _secret(name: str) -> bool:
    return any(word in name.lower().replace(".", "_").split("_") for word in SECRET_WORDS)
