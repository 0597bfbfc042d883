"""The verbs evaluate … as commands: real networks on sample pictures, and everything that can be wrong with the data."""

import shutil
from pathlib import Path

import pytest

from tests.integration.faces.commands import blinkd


@pytest.fixture
def people(media: Path, tmp_path: Path) -> Path:
    """Two people with two pictures and more, one with a single one, and what does not belong."""
    root = tmp_path / "people"
    layout = {"first": ["obama.jpg", "obama2.jpg"], "second": ["biden.jpg"], "third": ["single_face.jpg"]}
    for name, pictures in layout.items():
        (root / name).mkdir(parents=True)
        for picture in pictures:
            shutil.copy(media / picture, root / name / picture)
    shutil.copy(media / "biden.jpg", root / "second" / "copy.jpg")
    (root / "first" / "broken.jpg").write_bytes((media / "obama.jpg").read_bytes()[:2000])
    (root / "first" / "empty.jpg").write_bytes(b"")
    (root / "notes.txt").write_text("no picture", encoding="utf-8")
    return root


def test_verify_names_everything_that_it_leaves_out(people: Path, empty_state: Path) -> None:
    lines = [
        "path1,path2,same",
        "first/obama.jpg,first/obama2.jpg,1",
        "first/obama.jpg,second/biden.jpg,0",
        "third/single_face.jpg,second/biden.jpg,0",
        "second/biden.jpg,second/copy.jpg,0",
        "first/obama.jpg,first/broken.jpg,1",
        "first/obama.jpg,first/empty.jpg,1",
        "first/obama.jpg,first/gone.jpg,1",
    ]
    file = people / "pairs.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    done = blinkd("evaluate", "verify", file, "--json", state=empty_state)
    assert done.code == 0, done.err
    report = done.json
    assert {"pairs", "skipped", "accuracy", "accuracy_std", "auc", "tar", "tar_interval", "threshold", "model", "model_precision"} <= set(
        report
    )
    assert (report["pairs"], report["skipped"], report["genuine"], report["impostor"]) == (7, 4, 1, 2)
    assert report["auc"] == 1.0
    assert {Path(entry["path"]).name for entry in report["refused"]} == {"broken.jpg", "empty.jpg", "gone.jpg"}
    assert all(entry["reason"] for entry in report["refused"])
    assert report["duplicates"]["pairs"] == 1
    assert [sorted(Path(path).name for path in group) for group in report["duplicates"]["files"]] == [["biden.jpg", "copy.jpg"]]
    for name in ("broken.jpg", "empty.jpg", "gone.jpg"):
        assert name in done.err


def test_verify_without_usable_pairs_of_both_kinds_says_so(people: Path, empty_state: Path) -> None:
    file = people / "pairs.csv"
    file.write_text("path1,path2,same\nfirst/obama.jpg,first/obama2.jpg,1\nfirst/gone.jpg,third/single_face.jpg,0\n", encoding="utf-8")
    done = blinkd("evaluate", "verify", file, state=empty_state)
    assert done.code == 1
    assert "no usable genuine and impostor pairs" in done.err
    assert "Traceback" not in done.err


def test_identify_reports_rates_with_intervals_and_what_the_data_cannot_show(people: Path, empty_state: Path, tmp_path: Path) -> None:
    done = blinkd("evaluate", "identify", people, "--strangers", "0", "--plot", tmp_path / "det.png", "--json", state=empty_state)
    assert done.code == 0, done.err
    report = done.json
    assert (report["people"], report["enrolled"], report["strangers"], report["templates"]) == (3, 1, 2, 1)
    assert report["probes"] == {"mated": 1, "strangers": 2}
    assert report["rank1"]["value"] == 1.0
    assert report["fnir"]["value"] == 0.0
    assert report["fpir"]["value"] == 0.0
    assert report["fpir"]["lower95"] == 0.0
    assert report["fpir"]["upper95"] > 0.5
    assert report["fpir_shown"] is False
    assert report["threshold"] == 0.6
    assert report["expected_fmr"]["lower95"] < report["expected_fmr"]["value"] < report["expected_fmr"]["upper95"] < 1e-4
    assert report["det"][0] == {"threshold": report["det"][0]["threshold"], "fpir": 0.0, "fnir": 0.0}
    assert {Path(entry["path"]).name for entry in report["refused"]} == {"broken.jpg", "empty.jpg", "notes.txt"}
    assert len(report["duplicates"]) == 1
    assert (tmp_path / "det.png").read_bytes().startswith(b"\x89PNG")
    words = blinkd("evaluate", "identify", people, "--strangers", "0", state=empty_state)
    assert "too few to show an FPIR of 0.001" in words.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--strangers", "1"), "nobody is left to enrol"),
        (("--enrol", "5"), "nobody is left to enrol"),
        (("--same", "first=nobody"), "nobody"),
    ],
)
def test_identify_says_what_is_missing(people: Path, empty_state: Path, options: tuple[str, ...], message: str) -> None:
    done = blinkd("evaluate", "identify", people, *options, state=empty_state)
    assert done.code == 1
    assert message in done.err


@pytest.mark.parametrize("verb", ["identify", "impostors"])
def test_an_empty_or_missing_folder_is_refused_in_words(verb: str, tmp_path: Path, empty_state: Path) -> None:
    (tmp_path / "none").mkdir()
    for folder in (tmp_path / "none", tmp_path / "gone"):
        done = blinkd("evaluate", verb, folder, state=empty_state)
        assert done.code == 1
        assert str(folder) in done.err
        assert "folder of pictures per person" in done.err


def test_impostors_of_a_handful_of_people_are_too_few(people: Path, empty_state: Path) -> None:
    done = blinkd("evaluate", "impostors", people, state=empty_state)
    assert done.code == 1
    assert "too few" in done.err


def test_a_malformed_pair_of_folders_is_wrong_usage(people: Path, empty_state: Path) -> None:
    assert blinkd("evaluate", "impostors", people, "--same", "first", state=empty_state).code == 2


@pytest.fixture
def empty_state(tmp_path: Path) -> Path:
    return tmp_path / "state"
