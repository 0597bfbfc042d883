"""Lists of people to import: a folder per person, a picture per person, or a CSV file."""

import csv
import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from blinkd.capture.files import PICTURE_SUFFIXES
from blinkd.errors import MediaError


@dataclass(frozen=True, slots=True)
class Applicant:
    """A person who is to be enrolled: name, id or None, and the pictures of them; flaw: in words, when the row says too little."""

    name: str
    person_id: str | None
    pictures: tuple[Path, ...]
    flaw: str | None = None


def read_roster(path: Path) -> list[Applicant]:
    """Read a roster, in a stable order.

    A folder: each subfolder is a person (its name is theirs), each picture directly in it another. A CSV file: columns name, image
    and optionally id; several rows with the same id (or, without ids, the same name) are several pictures of one person; pictures are
    found relative to the file. A row without a name or image is an applicant with a flaw, so that one bad row does not keep the others out;
    so are the rows of one id under two names, for nobody can tell whose pictures they are.
    Raises MediaError naming file, line and remedy for a roster that cannot be read at all.
    """
    if path.is_dir():
        applicants = _from_folder(path)
    elif path.suffix.lower() == ".csv" and path.is_file():
        applicants = _from_csv(path)
    elif not path.exists():
        raise MediaError(f"{path}: no such file or folder")
    else:
        raise MediaError(f"{path}: neither a folder nor a .csv file; give a folder per person or a CSV with the columns name,image[,id]")
    if not applicants:
        raise MediaError(f"{path}: nobody in it; give a folder per person or a CSV with the columns name,image[,id]")
    return applicants


def _readable(stem: str) -> str:
    return stem.replace("_", " ").strip() or stem


def _from_folder(folder: Path) -> list[Applicant]:
    applicants = []
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            pictures = tuple(sorted(one for one in entry.iterdir() if one.suffix.lower() in PICTURE_SUFFIXES and one.is_file()))
            applicants.append(Applicant(_readable(entry.name), None, pictures))
        elif entry.suffix.lower() in PICTURE_SUFFIXES:
            applicants.append(Applicant(_readable(entry.stem), None, (entry,)))
    return applicants


def _from_csv(path: Path) -> list[Applicant]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            if "name" not in columns or "image" not in columns:
                raise MediaError(f"{path}: line 1: columns name and image are needed, found: {', '.join(columns) or 'none'}")
            found: dict[str, _Rows] = {}  # key: id, or name where there is none
            flawed: list[Applicant] = []
            for row in reader:
                name, image = (row.get("name") or "").strip(), (row.get("image") or "").strip()
                where = f"line {reader.line_num}"
                if not name or not image:
                    flawed.append(Applicant(name or where, None, (), f"{path}: {where}: name and image must not be empty; fill them in"))
                    continue
                person_id = (row.get("id") or "").strip()
                rows = found.setdefault(f"id {person_id}" if person_id else f"name {name}", _Rows(name, person_id or None, where, [], []))
                rows.pictures.append(path.parent / image)
                if _one_form(name) != _one_form(rows.name):
                    rows.others.append(f"{where} ({name!r})")
    except UnicodeDecodeError as error:
        raise MediaError(f"{path}: not UTF-8 text at byte {error.start}; save it as UTF-8") from None
    except csv.Error as error:
        raise MediaError(f"{path}: not a CSV file: {error}") from None
    except OSError as error:
        raise MediaError(f"{path}: cannot be read: {error.strerror}") from None
    return flawed + [rows.applicant(path) for rows in found.values()]


@dataclass(frozen=True, slots=True)
class _Rows:
    """What the rows of one person say. others: rows that give the same id another name."""

    name: str
    person_id: str | None
    line: str
    pictures: list[Path]
    others: list[str]

    def applicant(self, path: Path) -> Applicant:
        if not self.others:
            return Applicant(self.name, self.person_id, tuple(self.pictures))
        flaw = (
            f"{path}: {self.line} ({self.name!r}) and {', '.join(self.others)} give the id {self.person_id} to different names; "
            "give each person an id of their own, or write the name the same way"
        )
        return Applicant(self.name, self.person_id, (), flaw)


def _one_form(name: str) -> str:
    """The name as the store will keep it, so that a blank or a composed letter more makes no second person."""
    return unicodedata.normalize("NFC", " ".join(name.split()))


def without_copies(pictures: Sequence[Path]) -> tuple[list[Path], list[tuple[Path, Path]]]:
    """Set byte-equal files apart: the pictures that remain, in their order, and each copy with the one that it repeats.

    A copy shows nothing new, and would count twice wherever templates are counted. What cannot be read remains, for its reader to explain.
    """
    kept: list[Path] = []
    copies: list[tuple[Path, Path]] = []
    first: dict[bytes, Path] = {}
    for picture in pictures:
        try:
            with picture.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").digest()
        except OSError:
            kept.append(picture)
            continue
        if digest in first:
            copies.append((picture, first[digest]))
        else:
            first[digest] = picture
            kept.append(picture)
    return kept, copies
