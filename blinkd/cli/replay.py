"""The verb replay: a recording through the terminal's main line, event by event, the same each time."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from blinkd.capture.factory import source_for
from blinkd.capture.frame import Frame
from blinkd.cli.annotate import annotator
from blinkd.cli.moments import moment
from blinkd.cli.output import JsonFlag, console, one_line, print_json
from blinkd.clock import ReplayClock, SystemClock
from blinkd.parts import REPLAY_SEED, Parts
from blinkd.session.events import Event
from blinkd.session.terminal import Terminal
from blinkd.settings import Settings
from blinkd.store.database import Store

# Without --at and --record a replay takes place at the start of the shift on this day, so that its output depends on nothing else.
REFERENCE_DAY = datetime(2026, 1, 5, tzinfo=UTC).date()  # a Monday


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command("replay")(replay)


def replay(
    context: typer.Context,
    recording: Annotated[Path, typer.Argument(metavar="VIDEO|DIR", help="A video file, or a folder of pictures.")],
    record: Annotated[bool, typer.Option("--record", help="Also write punches and scan log; the recording then takes place now.")] = False,
    annotate: Annotated[Path | None, typer.Option("--annotate", metavar="OUT.mp4", help="Write the recording with what was seen.")] = None,
    at: Annotated[datetime | None, typer.Option("--at", metavar="TIME", parser=moment, help="When the recording starts.")] = None,
    as_json: bool = JsonFlag,
) -> None:
    """Print every event of every session in a recording. Without --record nothing is written and attendance begins empty."""
    settings: Settings = context.obj
    parts = Parts(settings, gallery=True)
    clock = ReplayClock(replay_start(settings, at, record=record))
    out = console()

    def show(event: Event) -> None:
        if as_json:
            print_json(event.as_json())
        else:
            out.print(f"{event.t:8.2f} s  session {event.session}  {event.kind}  {one_line(event.details)}", markup=False)

    with ExitStack() as stack:
        people = stack.enter_context(parts.open_store(read_only=not record))
        book = people if record else stack.enter_context(Store.preview_of(people))
        write = stack.enter_context(annotator(annotate))
        terminal = parts.terminal(people, book, clock, seed=REPLAY_SEED)
        for frame, events in play(recording, settings, terminal, clock):
            for event in events:
                show(event)
            write(frame, terminal, events)
        for event in terminal.interrupt(clock.elapsed):
            show(event)


def play(recording: Path, settings: Settings, terminal: Terminal, clock: ReplayClock) -> Iterator[tuple[Frame, list[Event]]]:
    """Feed every frame of a recording to the terminal; yields each frame with its events."""
    source = source_for(recording, settings.camera)
    source.open()
    with closing(source):
        while (frame := source.read()) is not None:
            clock.advance_to(frame.t)
            yield frame, terminal.process(frame)


def replay_start(settings: Settings, at: datetime | None, *, record: bool) -> datetime:
    """When a recording takes place: at the given time, now when it is recorded for good, else at the reference."""
    zone = settings.terminal.zone
    if at is not None:
        return at.replace(tzinfo=zone) if at.tzinfo is None else at
    if record:
        return SystemClock().now().utc
    return datetime.combine(REFERENCE_DAY, settings.attendance.shift_start, tzinfo=zone)
