"""The verb demo: the main job on a recording, with everything embedded."""

import shutil
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from blinkd.capture.pictures import read_picture
from blinkd.cli.demo_cast import DEMO_PEOPLE, DEMO_RECORDING
from blinkd.cli.output import JsonFlag, console, one_line, print_json
from blinkd.cli.replay import play, replay_start
from blinkd.clock import ReplayClock
from blinkd.errors import ConfigError
from blinkd.models.media import fetch_media
from blinkd.parts import REPLAY_SEED, Parts
from blinkd.session.events import Event
from blinkd.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command("demo")(demo)


def demo(
    context: typer.Context,
    sync: Annotated[
        bool, typer.Option("--sync", help="Two terminals, broker and relay instead: enrolled at the one, recognised at the other.")
    ] = False,
    as_json: bool = JsonFlag,
) -> None:
    """Enrol three sample people, then let a real recording walk up to the terminal; nothing is left behind."""
    began = time.monotonic()
    given: Settings = context.obj
    if sync:
        _demo_sync(given, as_json=as_json)
        return
    folder = Path(tempfile.mkdtemp(prefix="blinkd-demo-"))
    out = console()

    def say(text: str) -> None:
        if not as_json:
            out.print(text, markup=False)

    def show(event: Event) -> None:
        if as_json:
            print_json(event.as_json())
        else:
            say(f"{event.t:8.2f} s  session {event.session}  {event.kind:<16}{one_line(event.details)}")

    try:
        settings = given.model_copy(update={"state_dir": folder})
        media = fetch_media()
        parts = Parts(settings)
        say(f"embedder {parts.embedder.model_id} ({parts.embedder.precision}), threshold {parts.bands.match:.2f}; state in {folder}")
        punches = 0
        with parts.open_store() as store:
            book = parts.register(store)
            for name, number, picture in DEMO_PEOPLE:
                template = parts.enroller.from_picture(read_picture(media / picture), picture)
                person = book.enrol(name, number, [template])
                say(f"enrolled {person.name} ({person.id}) from {picture}, quality {template.quality:.2f}")
            clock = ReplayClock(replay_start(settings, None, record=False))
            terminal = parts.terminal(store, store, clock, seed=REPLAY_SEED)
            say(f"replaying {DEMO_RECORDING}, a recording of a man who walks up to the camera:")
            for _, events in play(media / DEMO_RECORDING, settings, terminal, clock):
                for event in events:
                    punches += event.kind == "punch"
                    show(event)
            for event in terminal.interrupt(clock.elapsed):
                show(event)
            for punch in store.book.punches():
                name = store.people.name_of(punch.person_id)
                say(f"in the book: {punch.utc:%Y-%m-%d %H:%M:%S} UTC  {name}  {punch.status}  {punch.punctuality}")
        say(f"{punches} check-in in {time.monotonic() - began:.1f} s")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if punches == 0:
        raise typer.Exit(1)


def _demo_sync(given: Settings, *, as_json: bool) -> None:
    try:
        from blinkd.cli.demo_sync import demo_sync  # noqa: PLC0415  brings a broker, which no terminal needs
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == "blinkd":
            raise
        raise ConfigError(
            f"`blinkd demo --sync` needs the package {package}, which is not installed here; `./install.sh demo --sync` sets up all of it, "
            "and so does the extra `demo` of the package blinkd"
        ) from None
    demo_sync(given, as_json=as_json)
