import tracemalloc
import uuid

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blinkd.identity.gallery import BLOCK_ROWS, Gallery


def unit(rng: np.random.Generator, dimension: int = 16) -> np.ndarray:
    vector = rng.normal(size=dimension)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def test_an_empty_gallery_knows_nobody() -> None:
    assert Gallery(16).search(unit(np.random.default_rng(1))) == (None, None)


@given(seed=st.integers(0, 2**32 - 1), people=st.integers(1, 40), each=st.integers(1, 12))
@settings(max_examples=40)
def test_search_equals_an_exhaustive_loop_and_the_runner_up_is_another_person(seed: int, people: int, each: int) -> None:
    rng = np.random.default_rng(seed)
    templates = [(f"p{number % people}", unit(rng)) for number in range(people * each)]
    gallery = Gallery(16, templates)
    probe = unit(rng)
    best: dict[str, float] = {}
    for person, vector in templates:
        best[person] = max(best.get(person, -2.0), float(vector @ probe))
    ranked = sorted(best.items(), key=lambda item: -item[1])
    first, second = gallery.search(probe)
    assert first is not None
    assert first.person_id == ranked[0][0]
    assert first.similarity == pytest.approx(ranked[0][1], abs=1e-5)
    if people == 1:
        assert second is None
    else:
        assert second is not None
        assert second.person_id == ranked[1][0]


@given(seed=st.integers(0, 2**32 - 1), steps=st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=200))
@settings(max_examples=40)
def test_adding_and_removing_in_any_order_leaves_exactly_who_is_enrolled(seed: int, steps: list[tuple[bool, int]]) -> None:
    rng = np.random.default_rng(seed)
    gallery = Gallery(16)
    model: dict[str, list[np.ndarray]] = {}
    for adding, number in steps:
        person = f"p{number}"
        if adding:
            vector = unit(rng)
            gallery.add(person, vector)
            model.setdefault(person, []).append(vector)
        else:
            assert gallery.remove(person) == len(model.pop(person, []))
    assert len(gallery) == sum(len(vectors) for vectors in model.values())
    for person, vectors in model.items():
        first, _ = gallery.search(vectors[0])
        assert first is not None
        assert first.person_id == person
        assert first.similarity == pytest.approx(1.0, abs=1e-5)


def test_a_removed_template_is_wiped_from_memory() -> None:
    rng = np.random.default_rng(3)
    secret = unit(rng)
    gallery = Gallery(16, [("a", unit(rng)), ("b", secret)])
    gallery.remove("b")
    held = np.concatenate(gallery._blocks)
    assert not np.any(np.all(np.isclose(held, secret), axis=1))


def test_a_gallery_of_several_blocks_finds_everybody_before_and_after_people_leave() -> None:
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(2 * BLOCK_ROWS + 5, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    gallery = Gallery(8, ((f"p{row}", vector) for row, vector in enumerate(vectors)))
    for row in (0, BLOCK_ROWS - 1, BLOCK_ROWS, 2 * BLOCK_ROWS + 4):
        first, second = gallery.search(vectors[row])
        assert first is not None
        assert second is not None
        assert first.person_id == f"p{row}"
        assert second.similarity == pytest.approx(float(np.sort(vectors @ vectors[row])[-2]), abs=1e-5)
    for row in range(0, 2 * BLOCK_ROWS + 5, 401):
        assert gallery.remove(f"p{row}") == 1
        assert gallery.similarity(f"p{row}", vectors[row]) is None
    left = [row for row in range(len(vectors)) if row % 401]
    assert len(gallery) == gallery.people == len(left)
    for row in left[:: len(left) // 9]:
        first, _ = gallery.search(vectors[row])
        assert first is not None
        assert first.person_id == f"p{row}"


def test_a_gallery_takes_at_most_a_fifth_more_memory_than_its_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = BLOCK_ROWS // 16  # a gallery of 100,000 in small
    monkeypatch.setattr("blinkd.identity.gallery.BLOCK_ROWS", rows)
    count, dimension = 12 * rows + 1, 128  # a block has just been begun, and everybody has one template: the worst of both
    vector = np.full(dimension, dimension**-0.5, np.float32)
    tracemalloc.start()
    try:
        gallery = Gallery(dimension, ((str(uuid.UUID(int=number)), vector) for number in range(count)))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held <= 1.2 * count * dimension * 4
    assert gallery.nbytes == pytest.approx(held, rel=0.02)


def test_people_who_leave_give_their_memory_back() -> None:
    vector = np.full(4, 0.5, np.float32)
    gallery = Gallery(4, ((f"p{row // BLOCK_ROWS}", vector) for row in range(4 * BLOCK_ROWS)))
    before = gallery.nbytes
    for number in range(4):
        assert gallery.remove(f"p{number}") == BLOCK_ROWS
    assert gallery.nbytes < before / 3
    assert gallery.search(vector) == (None, None)


@pytest.mark.parametrize("person_id", ["a", "E-1001", "名前", "x" * 64])
def test_ids_of_any_length_come_back_as_they_were(person_id: str) -> None:
    gallery = Gallery(4, [("b", np.array([0, 1, 0, 0], np.float32))])
    gallery.add(person_id, np.array([1, 0, 0, 0], np.float32))
    first, second = gallery.search(np.array([1, 0, 0, 0], np.float32))
    assert first is not None
    assert second is not None
    assert (first.person_id, second.person_id) == (person_id, "b")


def test_vectors_of_another_model_or_length_are_refused() -> None:
    gallery = Gallery(16)
    with pytest.raises(ValueError, match="dimension 16"):
        gallery.add("a", np.ones(8, np.float32))
    with pytest.raises(ValueError, match="not L2-normalised"):
        gallery.add("a", np.ones(16, np.float32))
