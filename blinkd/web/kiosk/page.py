"""What the kiosk's page is told before anything happens."""

import json
from typing import Any

from blinkd.web.context import WebContext
from blinkd.web.languages import Language


def texts_of(language: Language) -> str:
    """For the page's script: the kiosk's texts as JSON."""
    return json.dumps(dict(language.texts["kiosk"]), ensure_ascii=False)


def hello_of(context: WebContext) -> dict[str, Any]:
    """The first message of a WebSocket: settings, how the terminal is, and what has just happened, each with the seconds since."""
    settings, hub = context.settings, context.hub
    now = context.clock.monotonic()
    named_s = max(settings.attendance.disown_s, settings.kiosk.greeting_s)  # for longer no display says who somebody was
    recent = [{**message, "age_s": round(now - message["t"], 3)} for message in hub.recent()]
    return {
        "kind": "hello",
        "terminal": settings.terminal.id,
        "timezone": settings.terminal.timezone,
        "utc": context.clock.now().utc.isoformat(),
        "disown_s": settings.attendance.disown_s,
        "greeting_s": settings.kiosk.greeting_s,
        "sound": settings.kiosk.sound,
        "volume": settings.kiosk.volume,
        "entry": settings.entry.enabled,
        "health": hub.health,
        "recent": [message for message in recent if message["age_s"] <= named_s or not message.get("name")],
    }
