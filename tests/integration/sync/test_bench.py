"""The loads of `blinkd bench --sync`, in small: that each carries what it says, on the real servers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from blinkd.cli import bench_sync
from blinkd.errors import ServerFailed
from blinkd.measure.servers import mosquitto
from blinkd.measure.traffic.camera import measure_camera
from blinkd.measure.traffic.drain import measure_drain, sample_of
from blinkd.measure.traffic.ingest import measure_ingest
from blinkd.measure.traffic.pull import measure_pull
from blinkd.measure.traffic.site import Site, site
from blinkd.parts import Parts
from blinkd.settings import Settings


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with site(Settings(), tmp_path / "site") as found:
        yield found


def stored(here: Site) -> list[tuple[str, int]]:
    """Terminals and how many entries of theirs the relays have."""
    import psycopg

    with psycopg.connect(here.database.url) as connection:
        sql = "SELECT b.terminal, count(*) FROM books b JOIN entries e ON e.book_id = b.id WHERE e.connected GROUP BY 1 ORDER BY 1"
        return [(str(terminal), int(count)) for terminal, count in connection.execute(sql)]


@pytest.mark.slow
def test_what_is_timed_has_come_to_the_database(here: Site) -> None:
    first = here.terminal("door-1")
    drain = measure_drain(here, first, 300, 2)
    assert min(drain.drained, drain.batched, drain.singly, drain.unheard) > 0
    with Parts(first).open_store(read_only=True) as store:
        assert store.outbox.counts() == {"PENDING": 0, "FAILED": 0}
        entries, sample = store.outbox.end(), sample_of(store)
    assert entries > 300
    assert stored(here) == [("door-1", entries)]
    terminals = [here.terminal(name) for name in ("gate-1", "gate-2")]
    ingest = measure_ingest(here, terminals, sample, 600, 1)
    assert set(ingest.rates) == {1, 2}
    assert stored(here) == [("door-1", entries), ("gate-1", 600), ("gate-2", 600)]  # 300 each with one relay, 300 more with two
    assert drain.as_json()["ratio"] == round(drain.drained / drain.singly, 2)
    assert ingest.as_json()["ratio"] == round(ingest.rates[2] / ingest.rates[1], 2)


@pytest.mark.slow
def test_a_new_terminal_knows_everybody(here: Site) -> None:
    pull = measure_pull(here, here.terminal("door-1"), here.terminal("door-2"), 30)
    assert (pull.people, pull.templates) == (30, 60)
    assert pull.rss_mb > 10


@pytest.mark.slow
def test_the_camera_is_timed_while_the_queue_drains(here: Site) -> None:
    settings = here.terminal("door-1")
    frames = bench_sync.recorded(settings)[:20]
    with Parts(settings).open_store() as store:
        store.book.begin()
        bench_sync.enrol_samples(settings, store)
        camera = measure_camera(here, settings, frames, store, 4000, 1)
        assert 0 < camera.waiting < 4000
    assert camera.frames == 20
    assert camera.growth == camera.draining.p95 / camera.quiet.p95 - 1


def test_a_queue_that_is_empty_too_early_makes_no_figure(here: Site) -> None:
    settings = here.terminal("door-1")
    frames = bench_sync.recorded(settings)[:20]
    with Parts(settings).open_store() as store:
        store.book.begin()
        bench_sync.enrol_samples(settings, store)
        with pytest.raises(ServerFailed, match="give more with --punches"):
            measure_camera(here, settings, frames, store, 3, 1)


def test_a_server_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mosquitto, "PLACES", str(tmp_path))
    with pytest.raises(ServerFailed, match="apt-get install mosquitto"), site(Settings(), tmp_path / "site"):
        pass
