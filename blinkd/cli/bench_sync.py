"""`blinkd bench --sync`: the way to the relay and back, on this machine, with the real broker, database and relays."""

from typing import Any

from blinkd.capture.factory import source_for
from blinkd.capture.frame import Frame
from blinkd.capture.pictures import read_picture
from blinkd.cli.bench_store import bench_folder
from blinkd.cli.demo_cast import DEMO_PEOPLE, DEMO_RECORDING
from blinkd.cli.output import console, notes
from blinkd.measure.traffic.camera import measure_camera
from blinkd.measure.traffic.drain import measure_drain, sample_of
from blinkd.measure.traffic.ingest import measure_ingest
from blinkd.measure.traffic.pull import measure_pull
from blinkd.measure.traffic.site import site
from blinkd.models.media import fetch_media
from blinkd.parts import Parts
from blinkd.settings import Settings
from blinkd.store.database import Store

PEOPLE, PUNCHES = 20_000, 40_000
TERMINALS = 8  # that send to the relays at once
DRAIN_ROUNDS, INGEST_ROUNDS, CAMERA_ROUNDS = 3, 5, 12  # of what is measured in turn
LOWEST = 19  # niceness of broker, database and relays beside the camera: at a door they are other machines


def figures(given: Settings, people: int, punches: int) -> dict[str, Any]:
    """Make an organisation in the temporary folder, time it and remove it; returns what --json prints. Raises ServerFailed."""
    with bench_folder(given.state_dir) as folder:
        with notes().status("drain") as status, site(given, folder / "one") as here:
            first = here.terminal("door-1")
            drain = measure_drain(here, first, punches, DRAIN_ROUNDS)
            status.update("ingest")
            others = [here.terminal(f"gate-{number}") for number in range(1, TERMINALS + 1)]
            with Parts(first).open_store(read_only=True) as store:
                sample = sample_of(store)
            ingest = measure_ingest(here, others, sample, punches, INGEST_ROUNDS)
        with notes().status("pull"), site(given, folder / "two") as here:
            pull = measure_pull(here, here.terminal("door-1"), here.terminal("door-2"), people)
        with notes().status("camera"), site(given, folder / "three", LOWEST) as here:
            settings = here.terminal("door-1")
            with Parts(settings).open_store() as store:
                store.book.begin()
                enrol_samples(settings, store)
                camera = measure_camera(here, settings, recorded(settings), store, punches, CAMERA_ROUNDS)
    return {"drain": drain.as_json(), "ingest": ingest.as_json(), "pull": pull.as_json(), "camera": camera.as_json()}


def show(answer: dict[str, Any]) -> None:
    """Print what `figures` returned, for people."""
    out = console()
    drain, ingest, pull, camera = answer["drain"], answer["ingest"], answer["pull"], answer["camera"]
    out.print(
        f"drain: {drain['punches_per_s']:,} punches/s until the receipt of {drain['relays']} relays, {drain['batch']} a message, {drain['in_flight']} "
        f"messages in flight; paho alone with one punch a message: {drain['paho_per_s']:,}/s to another paho (ratio {drain['ratio']:.2f}), "
        f"{drain['paho_unheard_per_s']:,}/s to a broker where nobody listens and all is thrown away ({drain['ratio_unheard']:.2f}); to another paho with "
        f"the terminal's own messages, sealed and signed beforehand: {drain['paho_batched_per_s']:,}/s ({drain['ratio_batched']:.2f})"
    )
    out.print(
        f"ingest into PostgreSQL, {ingest['terminals']} terminals at once, {ingest['batch']} punches a message: {ingest['one_relay_per_s']:,} punches/s with one relay, "
        f"{ingest['two_relays_per_s']:,}/s with two, ratio {ingest['ratio']:.2f}"
    )
    out.print(
        f"pull: {pull['people']:,} people with {pull['templates']:,} templates in {pull['pulled_s']:.1f} s, {pull['rss_mb']:.0f} MB of memory "
        f"(sent by the terminal that enrolled them in {pull['pushed_s']:.1f} s)"
    )
    out.print(
        f"camera: a frame's 95th percentile {camera['quiet_ms']['p95']:.2f} ms, {camera['draining_ms']['p95']:.2f} ms beside a draining queue: "
        f"{camera['growth']:+.1%}; the sync process had {camera['rss_mb']:.0f} MB of memory"
    )


def enrol_samples(settings: Settings, store: Store) -> None:
    """Who walks up in the recording, and two others."""
    parts, media = Parts(settings), fetch_media()
    for name, number, picture in DEMO_PEOPLE:
        parts.register(store).enrol(name, number, [parts.enroller.from_picture(read_picture(media / picture), picture)])


def recorded(settings: Settings) -> list[Frame]:
    """The demonstration's recording."""
    source, frames = source_for(fetch_media() / DEMO_RECORDING, settings.camera), []
    source.open()
    try:
        while (frame := source.read()) is not None:
            frames.append(frame)
    finally:
        source.close()
    return frames
