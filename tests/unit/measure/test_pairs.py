from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from blinkd.errors import MediaError
from blinkd.measure.pairs import Integers, read_pairs, score_pairs
from tests.unit.measure.portraits import FakePortraits, folder_of


def plain(order: Integers) -> Iterator[int]:
    yield from order.tolist()


def listed(folder: Path, *lines: str, head: str = "path1,path2,same,fold") -> Path:
    file = folder / "pairs.csv"
    file.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return file


@pytest.fixture
def people(tmp_path: Path) -> Path:
    return folder_of(tmp_path, ann=["ann 1", "ann 2", "-"], bob=["bob 1", "bob 2"], cyd=["ann 1"])


def test_pairs_come_back_in_the_files_order_with_their_scores_folds_and_labels(people: Path) -> None:
    file = listed(people, "bob/bob0.jpg,ann/ann0.jpg,no,1", "ann/ann0.jpg,ann/ann1.jpg,1,0", "bob/bob0.jpg,bob/bob1.jpg,TRUE,2")
    found = score_pairs(read_pairs(file), FakePortraits(), plain)  # type: ignore[arg-type]
    assert found.same.tolist() == [False, True, True]
    assert found.folds is not None
    assert found.folds.tolist() == [1, 0, 2]
    assert found.scores[0] < 0.5 < 0.9 < found.scores[1:].min()
    assert (found.skipped, found.refused, found.duplicates) == (0, [], [])


def test_missing_and_faceless_pictures_are_named_once_and_their_pairs_skipped(people: Path) -> None:
    file = listed(
        people, "ann/ann0.jpg,ann/ann2.jpg,1,", "ann/ann2.jpg,bob/bob0.jpg,0,", "gone.jpg,bob/bob0.jpg,0,", "ann/ann0.jpg,ann/ann1.jpg,1,"
    )
    portraits = FakePortraits()
    found = score_pairs(read_pairs(file), portraits, plain)  # type: ignore[arg-type]
    assert found.skipped == 3
    assert [entry.path.name for entry in found.refused] == ["ann2.jpg", "gone.jpg"]
    assert portraits.opened.count("ann2.jpg") == 1
    assert found.folds is None, "not every line has a fold"


def test_the_same_picture_under_two_names_is_named_and_is_no_impostor(people: Path) -> None:
    file = listed(
        people,
        "ann/ann0.jpg,cyd/cyd0.jpg,0,0",
        "ann/ann0.jpg,bob/bob0.jpg,0,0",
        "ann/ann0.jpg,cyd/cyd0.jpg,1,0",
        "bob/bob0.jpg,bob/bob0.jpg,0,0",
    )
    found = score_pairs(read_pairs(file), FakePortraits(), plain)  # type: ignore[arg-type]
    assert found.equal_pairs == found.skipped == 2
    assert [[path.name for path in group] for group in found.duplicates] == [["ann0.jpg", "cyd0.jpg"]]
    assert found.same.tolist() == [False, True]


def test_few_embeddings_are_kept_and_the_scores_are_the_same(tmp_path: Path) -> None:
    folder_of(tmp_path, **{f"p{number}": [f"p{number} 0", f"p{number} 1"] for number in range(12)})
    rng = np.random.default_rng(1)
    names = [f"p{number}/p{number}{which}.jpg" for number in range(12) for which in (0, 1)]
    lines = [f"{one},{other},{int(one[:3] == other[:3])}," for one, other in (rng.choice(names, 2) for _ in range(80))]
    pairs = read_pairs(listed(tmp_path, *lines))
    roomy, tight = FakePortraits(), FakePortraits()
    all_kept = score_pairs(pairs, roomy, plain)  # type: ignore[arg-type]
    few_kept = score_pairs(pairs, tight, plain, kept=4)  # type: ignore[arg-type]
    assert len(roomy.opened) == len(set(roomy.opened)) <= 24
    assert len(tight.opened) > len(roomy.opened)
    assert np.allclose(all_kept.scores, few_kept.scores)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a.jpg,b.jpg,maybe,0", "line 2: same is 'maybe'"),
        (",b.jpg,1,0", "line 2: path1 and path2"),
        ("a.jpg,b.jpg,1,--3", "line 2: fold is '--3'"),
        ("a.jpg,b.jpg", "line 2: same is None"),
    ],
)
def test_a_line_that_makes_no_sense_is_pointed_at(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(MediaError, match=message):
        read_pairs(listed(tmp_path, line))


def test_a_file_without_pairs_or_columns_or_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no pairs"):
        read_pairs(listed(tmp_path))
    with pytest.raises(MediaError, match="columns missing: same"):
        read_pairs(listed(tmp_path, head="path1,path2"))
    with pytest.raises(MediaError, match="no such file"):
        read_pairs(tmp_path / "gone.csv")
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(MediaError, match="columns missing"):
        read_pairs(tmp_path / "empty.csv")
