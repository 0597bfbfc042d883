"""Lists of people to import: a folder per person, a picture per person, or a CSV file."""

import csv
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
    found relative to the file. A row without a name or image is an applicant with a flaw, so that one bad row does not keep the others out.
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
            people: dict[str, tuple[str, str | None, list[Path]]] = {}  # key: id, or name where there is none
            flawed: list[Applicant] = []
            for row in reader:
                name, image = (row.get("name") or "").strip(), (row.get("image") or "").strip()
                if not name or not image:
                    where = f"line {reader.line_num}"
                    flawed.append(Applicant(name or where, None, (), f"{path}: {where}: name and image must not be empty; fill them in"))
                    continue
                person_id = (row.get("id") or "").strip()
                key = f"id {person_id}" if person_id else f"name {name}"
                people.setdefault(key, (name, person_id or None, []))[2].append(path.parent / image)
    except UnicodeDecodeError as error:
        raise MediaError(f"{path}: not UTF-8 text at byte {error.start}; save it as UTF-8") from None
    except csv.Error as error:
        raise MediaError(f"{path}: not a CSV file: {error}") from None
    except OSError as error:
        raise MediaError(f"{path}: cannot be read: {error.strerror}") from None
    return flawed + [Applicant(name, person_id, tuple(pictures)) for name, person_id, pictures in people.values()]
