"""Changes settings at the desk: checked as the file is, written down, and told to the daemon."""

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blinkd.overlay import Values, write_overlay
from blinkd.settings_file import Loaded, load
from blinkd.supervision.reload import merge
from blinkd.web.admin.context import AdminContext
from blinkd.web.admin.settings.form import put
from blinkd.web.admin.settings.list import GENERAL, settings_of
from blinkd.web.admin.signed import Signed

RESTART = "sudo systemctl restart blinkd"


@dataclass(frozen=True, slots=True)
class Taken:
    """Dotted keys. taken: in force at once; refused: after a restart."""

    taken: tuple[str, ...]
    refused: tuple[str, ...]


def change(context: AdminContext, signed: Signed, now: Loaded, values: Mapping[str, object]) -> tuple[str, ...]:
    """Set dotted keys; returns those that only a restart brings into force. Raises ConfigError (`at` by key), StoreError."""
    desk: Values = copy.deepcopy(dict(now.desk))
    for key, value in values.items():
        put(desk, key, value)
    return take(context, signed, now, desk, list(values)).refused if values else ()


def take(context: AdminContext, signed: Signed, now: Loaded, desk: Values, changed: Sequence[str]) -> Taken:
    """Put other values of the desk in force. All of it or nothing: where the file cannot be written, the audit says nothing of it either.

    Raises ConfigError (`at` by key), StoreError.
    """
    wanted = load(context.live.config, desk=desk)
    _ = context.parts.reloaded(wanted.settings).shifts  # what they name can be read
    sections = {key.rpartition(".")[0] or GENERAL for key in changed}
    old, new = (
        {setting.key: setting for section in sections for setting in settings_of(section, loaded, os.environ)} for loaded in (now, wanted)
    )
    with context.store() as store, store.transaction():
        for key in changed:
            # text may hold an address or a name; what it was stands in the file
            words = "" if old[key].kind in ("text", "list") else f"{old[key].value or 'none'} → {new[key].value or 'none'}"
            context.audit.done(signed, "settings.change", key, reason=words)
        write_overlay(now.settings.state_dir, desk)
    context.live.take(wanted.settings)
    context.live.tell_daemon()
    reload = merge(now.settings, wanted.settings)
    return Taken(reload.taken, reload.refused)
