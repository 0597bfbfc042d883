from pathlib import Path

import numpy as np
import pytest

from blinkd.errors import KeyMissing
from blinkd.identity.gallery import Gallery
from blinkd.store.database import Store
from blinkd.store.following import Following
from tests.unit.store.stores import MODEL, open_store, sample, vector


class Counted(Gallery):
    """A gallery that counts how it is filled."""

    added = replaced = 0

    def add(self, person_id: str, embedding: np.ndarray) -> None:
        self.added += 1
        super().add(person_id, embedding)

    def replace(self, templates: object) -> None:
        self.replaced += 1
        super().replace(templates)  # type: ignore[arg-type]


def known(gallery: Gallery, seed: int) -> str | None:
    best, _ = gallery.search(vector(seed))
    return best.person_id if best is not None and best.similarity > 0.99 else None


def test_only_what_is_new_is_read_and_everything_only_when_something_went(tmp_path: Path) -> None:
    with open_store(tmp_path) as store, open_store(tmp_path) as other:
        store.people.enrol("A", "Ann", [sample(1)])
        following = Following(store.people, MODEL)
        gallery = Counted(192, [(one.person_id, one.vector) for one in store.people.templates(MODEL)])
        assert following.update(gallery) is False
        other.people.enrol("B", "Bo", [sample(2), sample(3)])
        assert following.update(gallery) is True
        assert (gallery.added, gallery.replaced, known(gallery, 3)) == (2, 0, "B")
        other.people.change("B", name="Bob")  # nobody's face has changed
        assert following.update(gallery) is False
        other.people.withdraw("A")
        assert following.update(gallery) is True
        assert (gallery.added, gallery.replaced, known(gallery, 1), len(gallery)) == (2, 1, None, 2)


def test_what_could_not_be_read_is_read_the_next_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(tmp_path) as store:
        following, gallery = Following(store.people, MODEL), Gallery(192)
        store.people.enrol("A", "Ann", [sample(1)])
        with monkeypatch.context() as patched:
            patched.setattr(Store, "_cipher", lambda *_: (_ for _ in ()).throw(KeyMissing("gone")))
            patched.setattr(store.people._shelf, "_cipher", lambda *_: (_ for _ in ()).throw(KeyMissing("gone")))
            with pytest.raises(KeyMissing):
                following.update(gallery)
        assert following.update(gallery) is True
        assert known(gallery, 1) == "A"
