"""What Home Assistant is told, as topics and JSON values: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery (device discovery)."""

from dataclasses import dataclass
from typing import Any, Final

from blinkd import __version__
from blinkd.outputs.port import Health, PartHealth
from blinkd.outputs.presence import Presence
from blinkd.session.events import Event

ONLINE: Final = "online"
OFFLINE: Final = "offline"
BIRTH: Final = "online"  # of Home Assistant itself
DOOR: Final = "door"  # the part of the health that the door's own output gives
STATE_MOST: Final = 255  # characters that Home Assistant takes as a state
EVENT_TYPES: Final = {"CHECK_IN": "check_in", "CHECK_OUT": "check_out"}
REFUSED: Final = "refused"


@dataclass(frozen=True, slots=True)
class Topics:
    """config: where the device is described; available: online or offline, also by last will; state: JSON, retained; event: JSON, passing."""

    config: str
    available: str
    state: str
    event: str

    @staticmethod
    def of(prefix: str, terminal: str) -> "Topics":
        """prefix: Home Assistant's for discovery."""
        base = f"blinkd/{terminal}"
        return Topics(f"{prefix}/device/{object_id(terminal)}/config", f"{base}/availability", f"{base}/state", f"{base}/event")


def object_id(terminal: str) -> str:
    """The terminal's id in letters that Home Assistant allows (no dot); different ids stay different."""
    return "blinkd_" + terminal.replace("_", "__").replace(".", "_-")


def device(topics: Topics, terminal: str, *, door: bool) -> dict[str, Any]:
    """The description of the terminal and its entities. door: whether there is one."""
    identity = object_id(terminal)

    def entity(platform: str, key: str, name: str, **options: str | list[str] | None) -> tuple[str, dict[str, Any]]:
        common = {"platform": platform, "unique_id": f"{identity}_{key}", "name": name}
        return key, common | {"availability_topic": topics.available} | options

    def reading(platform: str, key: str, name: str, **options: str | None) -> tuple[str, dict[str, Any]]:
        template = f"{{{{ value_json.{key} }}}}"
        return entity(platform, key, name, state_topic=topics.state, value_template=template, **options)

    def details(key: str) -> dict[str, str]:
        return {"json_attributes_topic": topics.state, "json_attributes_template": f"{{{{ value_json.{key} | tojson }}}}"}

    entities = dict(
        [
            reading("sensor", "present", "People present", icon="mdi:account-group", state_class="measurement"),
            # of the day: corrections take away from it, which a total may and an increasing one may not
            reading(
                "sensor",
                "check_ins",
                "Check-ins today",
                icon="mdi:login",
                state_class="total",
                last_reset_value_template="{{ value_json.since or '' }}",
            ),
            entity("event", "last_event", "Last event", state_topic=topics.event, event_types=[*EVENT_TYPES.values(), REFUSED]),
            reading("binary_sensor", "problem", "Problem", device_class="problem", entity_category="diagnostic", **details("parts")),
            # without an availability of its own: it is what says that the others are not available
            (
                "connected",
                {
                    "platform": "binary_sensor",
                    "unique_id": f"{identity}_connected",
                    "name": "Connection",
                    "device_class": "connectivity",
                    "entity_category": "diagnostic",
                    "state_topic": topics.available,
                    "payload_on": ONLINE,
                    "payload_off": OFFLINE,
                },
            ),
            reading("sensor", "version", "Version", icon="mdi:tag", entity_category="diagnostic"),
            reading("sensor", "door", "Door", icon="mdi:door"),
            reading("binary_sensor", "door_problem", "Door problem", device_class="problem"),
        ]
    )
    if not door:  # what has the platform alone is taken away
        entities |= {key: {"platform": entities[key]["platform"]} for key in ("door", "door_problem")}
    return {
        "device": {
            "identifiers": [identity],
            "name": terminal,
            "manufacturer": "blinkd",
            "model": "Attendance terminal",
            "sw_version": __version__,
        },
        "origin": {"name": "blinkd", "sw_version": __version__},
        "components": entities,
    }


def state(health: Health, presence: Presence | None, own: str) -> dict[str, Any]:
    """What the entities show. presence: None where the book cannot be read; own: name of the part that tells, which does not tell of itself."""
    problems = [part for part in health.problems if part.name != own]
    door = door_of(health)
    return {
        "present": None if presence is None else presence.present,
        "check_ins": None if presence is None else presence.check_ins,
        "since": None if presence is None else presence.since.isoformat(),
        "problem": "ON" if problems else "OFF",
        "parts": {part.name: f"{part.state}: {part.words}" if part.words else part.state for part in problems},
        "version": __version__,
        "door": None if door is None else (door.words or door.state)[:STATE_MOST],
        "door_problem": "ON" if door is not None and door in problems else "OFF",
    }


def door_of(health: Health) -> PartHealth | None:
    """The door, where there is one."""
    return next((part for part in health.parts if part.name == DOOR and part.state != "off"), None)


def happened(event: Event, *, names: bool) -> dict[str, Any] | None:
    """What an event is told as; None for what is not told. names: whether it says who."""
    details = event.details
    if event.kind == "punch" and (kind := EVENT_TYPES.get(str(details.get("status")))):
        told = {"event_type": kind, "punctuality": details.get("punctuality")}
    elif event.kind == "refused":
        told = {"event_type": REFUSED, "reason": details.get("reason")}
    else:
        return None
    who = {key: details[key] for key in ("name", "person_id") if details.get(key) is not None} if names else {}
    return told | who
