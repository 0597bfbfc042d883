"""Registering people at the terminal's page: the studio with real networks, and a recording in the camera's place."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import pytest

from blinkd.capture.frame import Frame
from blinkd.clock import SystemClock
from blinkd.errors import EnrolmentRefused, MediaError, RequestRefused
from blinkd.outputs.channel import Picture, PictureInfo
from blinkd.parts import Parts
from blinkd.settings import Settings
from blinkd.store.database import Store
from blinkd.store.lease import RegistrationLease
from blinkd.web.registration.sitting import Draft, Owner, Progress
from blinkd.web.registration.studio import GONE_S, KEPT_S, WATCHED_S, Studio, same_person
from tests.integration.faces.conftest import MAN
from tests.integration.faces.scenes import frames_of, punched, watch, with_networks
from tests.integration.sync.waiting import eventually

ADA, BOB = Owner(1, "Ada", frozenset({"supervisor"})), Owner(2, "Bob", frozenset({"supervisor"}))
WAIT_S = 60.0


class Recording:
    """Pictures of recordings, one after the other; the last one again and again. `film` changes what is shown; `unplug` ends it."""

    def __init__(self, frames: list[Frame]) -> None:
        self._lock = threading.Lock()
        self._index = 0
        self.film(frames)

    def film(self, frames: list[Frame]) -> None:
        with self._lock:
            self._frames, self._place = frames, 0
            self.over = threading.Event()

    def unplug(self) -> None:
        with self._lock:
            self._frames = []

    def picture(self) -> Future[Picture]:
        asked: Future[Picture] = Future()
        with self._lock:
            if not self._frames:
                return asked
            frame = self._frames[min(self._place, len(self._frames) - 1)]
            self._place += 1
            self._index += 1
            if self._place >= len(self._frames):
                self.over.set()
        height, width = frame.image.shape[:2]
        _, coded = cv2.imencode(".jpg", frame.image, [cv2.IMWRITE_JPEG_QUALITY, 80])
        asked.set_result(Picture(PictureInfo(self._index / 15, width, height, None, "idle", "", False), coded.tobytes()))
        return asked


@dataclass
class Room:
    """A studio, its camera, and the state folder behind it."""

    studio: Studio
    camera: Recording
    state: Path
    time_s: list[float] = field(default_factory=lambda: [0.0])

    def until(self, wanted: Callable[[Progress], bool], owner: int = ADA.id) -> Progress:
        """Watch, as the page does, until it stands so."""
        pause = threading.Event()
        for _ in range(round(WAIT_S / 0.02)):
            progress = self.studio.watch(owner)
            assert progress is not None
            assert not progress.trouble
            if wanted(progress):
                return progress
            pause.wait(0.02)
        raise AssertionError(f"it stands so: {self.studio.watch(owner)}")

    def held(self) -> bool:
        """Whether the door stands aside."""
        with Store.open(self.state, Settings().store, read_only=True) as store:
            return RegistrationLease(store.preferences).in_force(SystemClock().now())


@pytest.fixture
def man(media: Path) -> list[Frame]:
    return frames_of(media / "noface_face.mov")[30:]


@pytest.fixture
def woman(media: Path) -> list[Frame]:
    return frames_of(media / "WolfgangLanger_Pexels.mp4")


@pytest.fixture
def room(empty: Path, man: list[Frame], networks: Parts) -> Iterator[Room]:
    yield from opened(empty, man, networks)


@pytest.fixture
def known(state: Path, man: list[Frame], networks: Parts) -> Iterator[Room]:
    """A room of a terminal that knows three people, the man among them."""
    yield from opened(state, man, networks)


def opened(state: Path, film: list[Frame], networks: Parts) -> Iterator[Room]:
    time_s = [0.0]
    camera = Recording(film)
    settings = Settings(state_dir=state)
    studio = Studio(lambda: with_networks(settings, networks), SystemClock(), camera, monotonic=lambda: time_s[0])
    yield Room(studio, camera, state, time_s)
    studio.close()


def audited(person_ids: list[str]) -> Callable[[Store, str, str], None]:
    def record(store: Store, person_id: str, action: str) -> None:
        del store
        person_ids.append(f"{action} {person_id}")

    return record


def test_who_is_registered_before_the_camera_is_known_at_the_door_and_the_door_waits_meanwhile(
    room: Room, networks: Parts, media: Path
) -> None:
    room.studio.begin(ADA, Draft(), camera=True)
    room.until(lambda one: one.enough and one.guidance is not None and one.guidance.asked == "left")
    assert room.held()
    for view in ("left", "right"):
        room.studio.leave_out(ADA.id, view)
    room.until(lambda one: one.guidance is not None and one.guidance.hint == "done")
    done: list[str] = []
    draft = Draft("new", "Sam Sample", "E-7", "night, kitchen", "signed form 12", "glasses")
    person = room.studio.enrol(ADA, draft, audited(done), allow_duplicate=False)
    assert (person.id, person.name) == ("E-7", "Sam Sample")
    assert done == ["people.new E-7"]
    assert room.studio.watch(ADA.id) is None
    assert not room.held()
    with Store.open(room.state, Settings().store) as store:
        assert store.people.get("E-7").groups == ("kitchen", "night")
        assert [one.label for one in store.people.moments("E-7")] == ["glasses"] * 2
        assert store.people.enrolments("E-7")[0]["consent"] == "signed form 12"
    assert punched(watch(frames_of(media / "noface_face.mov"), room.state, networks)) == ["E-7"]


def test_a_face_that_is_known_is_said_and_the_operator_decides(known: Room) -> None:
    known.studio.begin(ADA, Draft(), camera=True)
    known.until(lambda one: one.enough)
    draft = Draft("new", "Sam Again")
    done: list[str] = []
    with pytest.raises(EnrolmentRefused, match="looks like") as refused:
        known.studio.enrol(ADA, draft, audited(done), allow_duplicate=False)
    assert refused.value.reason == "duplicate"
    progress = known.studio.watch(ADA.id)
    assert progress is not None
    assert progress.lookalike is not None
    assert (progress.lookalike.person_id, progress.lookalike.name) == (MAN, "Sam Sample")
    assert progress.lookalike.similarity > 0.6
    assert done == []
    person = known.studio.enrol(ADA, same_person(draft, progress.lookalike), audited(done), allow_duplicate=False)
    assert person.id == MAN
    assert done == [f"people.add {MAN}"]
    with Store.open(known.state, Settings().store) as store:
        assert len(store.people.all()) == 3
        assert store.people.get(MAN).templates >= 2


def test_somebody_else_who_looks_alike_is_registered_when_the_operator_says_so(known: Room) -> None:
    known.studio.begin(ADA, Draft(), camera=True)
    known.until(lambda one: one.enough)
    person = known.studio.enrol(ADA, Draft("new", "Twin"), audited([]), allow_duplicate=True)
    with Store.open(known.state, Settings().store) as store:
        (record,) = store.people.enrolments(person.id)
    assert (record["decision"], record["lookalike"]["person_id"]) == ("allowed", MAN)


def test_another_face_half_way_begins_anew_and_nothing_of_the_first_is_kept(room: Room, woman: list[Frame], networks: Parts) -> None:
    room.studio.begin(ADA, Draft(name="Robin"), camera=True)
    room.until(lambda one: one.guidance is not None and one.guidance.kept["front"] == 2)
    room.camera.film(woman)
    progress = room.until(lambda one: one.guidance is not None and one.guidance.started_anew > 0 and one.enough)
    assert progress.draft.name == "Robin", "what was typed stays"
    person = room.studio.enrol(ADA, Draft("new", "Robin"), audited([]), allow_duplicate=False)
    parts = with_networks(Settings(state_dir=room.state), networks)
    with parts.open_store() as store:
        vectors = [one.vector for one in store.people.templates(networks.embedder.model_id)]
    assert person.id
    assert all(float(vectors[0] @ other) > 0.5 for other in vectors)


def test_a_camera_that_is_gone_is_said_and_goes_on_when_it_is_back(room: Room, man: list[Frame]) -> None:
    room.studio.begin(ADA, Draft(), camera=True)
    room.until(lambda one: one.enough)
    room.camera.unplug()

    def gone(progress: Progress) -> bool:
        room.time_s[0] += GONE_S / 2  # each time anew, for a picture may still have been under way
        return progress.camera == "gone"

    assert room.until(gone).enough, "what was seen is kept"
    room.camera.film(man)
    room.until(lambda one: one.camera == "live")


def test_a_page_that_nobody_looks_at_any_more_opens_the_door_and_forgets_nothing(room: Room) -> None:
    room.studio.begin(ADA, Draft(name="Robin"), camera=True)
    room.until(lambda one: one.enough)
    assert room.held()
    room.time_s[0] += WATCHED_S + 1
    eventually(lambda: not room.held(), "the door works again")
    progress = room.studio.watch(ADA.id)
    assert progress is not None
    assert (progress.enough, progress.draft.name) == (True, "Robin")
    room.until(lambda one: one.camera == "live" and room.held())
    room.time_s[0] += KEPT_S + 1
    assert room.studio.watch(ADA.id) is None
    with pytest.raises(RequestRefused, match="over"):
        room.studio.anew(ADA.id)


def test_two_operators_do_not_take_the_camera_from_each_other(room: Room) -> None:
    room.studio.begin(ADA, Draft(name="Robin"), camera=True)
    room.until(lambda one: one.enough)
    with pytest.raises(RequestRefused, match="Ada is registering"):
        room.studio.begin(BOB, Draft(), camera=True)
    assert room.studio.taken_by(BOB.id) == "Ada"
    room.time_s[0] += WATCHED_S + 1  # Ada's session is over, and nobody looks at her page
    room.studio.begin(BOB, Draft(), camera=True)
    room.until(lambda one: one.camera == "live", BOB.id)
    ada = room.studio.watch(ADA.id)
    assert ada is not None
    assert (ada.camera, ada.enough, ada.draft.name) == ("taken", True, "Robin")
    room.studio.end(BOB.id)
    room.until(lambda one: one.camera == "live")


def test_pictures_are_looked_at_and_forgotten_and_bad_ones_are_refused(room: Room, media: Path) -> None:
    room.studio.begin(ADA, Draft(), camera=False)
    obama = (media / "obama.jpg").read_bytes()
    room.studio.upload(ADA.id, obama)
    for content, reason in (
        ((media / "biden.jpg").read_bytes(), "several_people"),
        ((media / "multi_face.jpg").read_bytes(), "several_faces"),
    ):
        with pytest.raises(EnrolmentRefused) as refused:
            room.studio.upload(ADA.id, content)
        assert refused.value.reason in (reason, "several_faces", "too_small")
    for content in (b"", b"no picture", obama[:5000]):
        with pytest.raises(MediaError):
            room.studio.upload(ADA.id, content)
    progress = room.studio.watch(ADA.id)
    assert progress is not None
    assert (progress.pictures, progress.enough) == (1, True)
    person = room.studio.enrol(ADA, Draft("new", "Robin"), audited([]), allow_duplicate=False)
    assert not room.held()
    assert [file.name for file in room.state.iterdir() if file.suffix in (".jpg", ".png")] == []
    with Store.open(room.state, Settings().store) as store:
        assert [one.source for one in store.people.moments(person.id)] == ["uploaded picture 1"]


def test_nothing_is_half_enrolled(room: Room) -> None:
    room.studio.begin(ADA, Draft(), camera=True)
    with pytest.raises(EnrolmentRefused, match="front"):
        room.studio.enrol(ADA, Draft("new", "Robin"), audited([]), allow_duplicate=False)
    room.until(lambda one: one.enough)

    def broken(_store: Store, _person_id: str, _action: str) -> None:
        raise RequestRefused(503, "full", "the audit cannot be written")

    for draft, record in (
        (Draft("new", ""), audited([])),
        (Draft("new", "Robin", "E 1"), audited([])),
        (Draft("new", "Robin", "E-1", "x" * 61), audited([])),
        (Draft("refresh", "", "E-1"), audited([])),
        (Draft("new", "Robin", "E-1"), broken),
    ):
        with pytest.raises(Exception):  # noqa: B017  each its own
            room.studio.enrol(ADA, draft, record, allow_duplicate=False)
    with Store.open(room.state, Settings().store) as store:
        assert store.people.all() == []
        assert store.people.count_templates() == 0
    room.studio.enrol(ADA, Draft("new", "Robin", "E-1"), audited([]), allow_duplicate=False)
