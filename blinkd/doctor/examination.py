"""All checks, one after the other."""

from collections.abc import Callable, Iterator
from pathlib import Path

from blinkd.doctor import desk, machine, network, pages, recognition, records, running, timing
from blinkd.doctor.check import Check
from blinkd.errors import BlinkdError
from blinkd.parts import Parts
from blinkd.settings import DEFAULT_CONFIG_FILE, Settings


def examine(settings: Settings, config: Path = DEFAULT_CONFIG_FILE) -> Iterator[Check]:
    """Yield the checks one by one; a check that fails never stops the others. config: the settings' file."""
    parts = Parts(settings, gallery=True)
    looks: tuple[tuple[str, Callable[[], Check]], ...] = (
        ("userland", machine.userland),
        ("state", lambda: records.state(settings)),
        ("desk", lambda: desk.overlay(settings, config)),
        ("permissions", lambda: machine.permissions(settings, config)),
        ("store", lambda: records.database(parts)),
        ("chain", lambda: records.chain(parts)),
        ("models", lambda: recognition.models(parts)),
        ("embedder", lambda: recognition.embedder(parts)),
        ("speed", lambda: recognition.speed(parts)),
        ("threshold", lambda: recognition.threshold(parts)),
        ("daemon", lambda: running.daemon(settings)),
        ("web", lambda: pages.pages(settings, parts.clock)),
        ("devices", lambda: machine.devices(settings)),
        ("camera", lambda: recognition.camera(settings)),
        ("temperature", machine.temperature),
        ("power", machine.power),
        ("upkeep", lambda: records.upkeep(parts)),
        ("backup", lambda: records.backup(parts)),
        ("clock", lambda: timing.clock(parts.clock, trust_hardware=settings.terminal.trust_hardware_clock)),
        ("keyring", lambda: network.keyring(settings)),
        ("certificate", lambda: network.certificate(settings, parts.clock)),
        ("broker", lambda: network.broker(settings, parts.clock)),
        ("relay", lambda: network.relay(settings)),
    )
    for name, look in looks:
        try:
            yield look()
        except BlinkdError as error:
            yield Check(name, "fail", str(error), str(error).rsplit("; ", 1)[-1])
