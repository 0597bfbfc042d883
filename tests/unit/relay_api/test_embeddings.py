import io
import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from blinkd.cli.main import app as command
from blinkd.relay.api import embeddings
from blinkd.relay.api.embeddings import LARGEST_PICTURE
from blinkd.relay.api.vision import LocalVision
from blinkd.settings import Settings, VisionSettings
from tests.unit.relay_api.client import Client

EMBEDDINGS = "/api/v1/embeddings"


@pytest.fixture(scope="module")
def eyes() -> LocalVision:
    return LocalVision(Settings())


def files_below(*folders: Path) -> set[Path]:
    return {path for folder in folders for path in folder.rglob("*")}


def blank(width: int = 320, height: int = 240) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "grey").save(out, "PNG")
    return out.getvalue()


def test_the_embedding_is_the_one_that_the_command_gives(connect: Callable[..., Client], eyes: LocalVision, media: Path) -> None:
    from typer.testing import CliRunner

    picture = media / "single_face.jpg"
    answer = connect(eyes).post(EMBEDDINGS, files={"file": ("face.jpg", picture.read_bytes(), "image/jpeg")})
    assert answer.status_code == 200, answer.text
    expected = json.loads(CliRunner().invoke(command, ["embed", str(picture), "--json"]).stdout)
    found = answer.json()
    assert found.keys() == {"success", "embedding", "dimension", "model", "model_precision"}
    assert np.allclose(found["embedding"], expected["embedding"], atol=1e-5)
    assert (len(found["embedding"]), found["model_precision"]) == (found["dimension"], expected["model_precision"])


def test_a_picture_leaves_nothing_on_a_disk(
    connect: Callable[..., Client],
    eyes: LocalVision,
    media: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    empty = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(empty))
    monkeypatch.setenv("TMPDIR", str(empty))
    opened: list[str] = []
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if watching and event == "open" and isinstance(arguments[2], int) and arguments[2] & writing:
            opened.append(str(arguments[0]))

    watching = False
    sys.addaudithook(watch)  # for good: hooks can't be taken away, only told to look elsewhere
    client, picture = connect(eyes), (media / "single_face.jpg").read_bytes()
    padded = picture + bytes(3 * 1024 * 1024)  # beyond every size at which a library would turn to a file
    client.post(EMBEDDINGS, files={"file": picture})  # loads the networks
    watching = True
    answers = [client.post(EMBEDDINGS, files={"file": one}) for one in (picture, padded, b"x" * 2_000_000, bytes(LARGEST_PICTURE + 1))]
    watching = False
    assert [answer.status_code for answer in answers] == [200, 200, 422, 413]
    assert opened == []
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize(
    ("picture", "reason"),
    [(blank(), "no_face"), (b"no picture", "no_picture"), (blank()[:300], "no_picture"), (b"", "malformed")],
    ids=["nobody", "text", "truncated", "empty"],
)
def test_a_picture_without_a_face_is_refused_in_words(
    connect: Callable[..., Client], eyes: LocalVision, picture: bytes, reason: str
) -> None:
    answer = connect(eyes).post(EMBEDDINGS, files={"file": picture})
    assert (answer.status_code, answer.json()["success"], answer.json()["error"]) == (422, False, reason)


def test_a_picture_that_claims_too_many_pixels_is_refused_before_it_is_decoded(connect: Callable[..., Client], eyes: LocalVision) -> None:
    out = io.BytesIO()
    Image.new("1", (8000, 7000)).save(out, "PNG")
    answer = connect(eyes).post(EMBEDDINGS, files={"file": out.getvalue()})
    assert (answer.status_code, answer.json()["error"]) == (422, "no_picture")
    assert "50 megapixels" in answer.json()["detail"]


def test_without_the_vision_parts_the_answer_says_so(connect: Callable[..., Client], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "blinkd.parts", None)
    answer = connect(LocalVision(Settings())).post(EMBEDDINGS, files={"file": blank()})
    assert (answer.status_code, answer.json()["error"]) == (501, "no_vision")


def test_without_the_models_the_answer_says_so(connect: Callable[..., Client], tmp_path: Path) -> None:
    answer = connect(LocalVision(Settings(models_dir=tmp_path))).post(EMBEDDINGS, files={"file": blank()})
    assert (answer.status_code, answer.json()["error"]) == (501, "no_vision")


def test_simulated_embeddings_say_so(connect: Callable[..., Client], media: Path) -> None:
    simulated = LocalVision(Settings(vision=VisionSettings(precision="simulated")))
    answer = connect(simulated).post(EMBEDDINGS, files={"file": (media / "single_face.jpg").read_bytes()}).json()
    assert (answer["success"], answer["model_precision"]) == (True, "simulated")


@pytest.mark.parametrize("form", [{"picture": b"x"}, [("file", b"x"), ("file", b"y")], {f"f{number}": b"x" for number in range(9)}])
def test_a_form_of_another_kind_is_refused(connect: Callable[..., Client], form: Any) -> None:
    answer = connect().post(EMBEDDINGS, files=form)
    assert (answer.status_code, answer.json()["error"]) == (422, "malformed")


def test_fields_beside_the_file_are_ignored(connect: Callable[..., Client]) -> None:
    assert connect().post(EMBEDDINGS, files={"file": b"12345"}, data={"note": "x"}).json()["detail"].startswith("5 bytes")


def test_only_few_pictures_are_in_memory_at_once(connect: Callable[..., Client], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "MOST_AT_ONCE", 1)
    looking, done = threading.Event(), threading.Event()

    class Slow:
        def embed(self, picture: bytes) -> dict[str, Any]:
            looking.set()
            assert done.wait(30)
            return {"embedding": [], "dimension": len(picture), "model_precision": "int8"}

    client = connect(Slow())
    answers: list[int] = []
    first = threading.Thread(target=lambda: answers.append(client.post(EMBEDDINGS, files={"file": b"x"}).status_code))
    first.start()
    assert looking.wait(30)
    busy = client.post(EMBEDDINGS, files={"file": b"x"})
    done.set()
    first.join()
    assert (busy.status_code, busy.json()["error"], busy.headers["Retry-After"], answers) == (503, "busy", "2", [200])
    assert client.post(EMBEDDINGS, files={"file": b"x"}).status_code == 200
