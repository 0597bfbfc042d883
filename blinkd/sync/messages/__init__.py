"""What travels over MQTT: one immutable value for each kind of message, its JSON, and what is signed of it.

Every `parse` raises MessageRejected for what the other side would not have written.
"""

from blinkd.sync.messages.attendance import Batch, SealedEntry, entry_signed, record_of
from blinkd.sync.messages.common import LONGEST_CERTIFICATE, MOST
from blinkd.sync.messages.pages import Page, PagedChange, Pull, RegistryHead
from blinkd.sync.messages.people import ADMIN_TYPES, OPEN_TYPES, Change, Changes, admin_signed, change_signed
from blinkd.sync.messages.receipt import CERTIFICATE, ChainState, Receipt, Rejected, Settled, Stored
from blinkd.sync.messages.status import Status

__all__ = [
    "ADMIN_TYPES",
    "CERTIFICATE",
    "LONGEST_CERTIFICATE",
    "MOST",
    "OPEN_TYPES",
    "Batch",
    "ChainState",
    "Change",
    "Changes",
    "Page",
    "PagedChange",
    "Pull",
    "Receipt",
    "RegistryHead",
    "Rejected",
    "SealedEntry",
    "Settled",
    "Status",
    "Stored",
    "admin_signed",
    "change_signed",
    "entry_signed",
    "record_of",
]
