"""A folder per person: who is in it, and which of its pictures can be trusted to say whose they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from blinkd.capture.files import PICTURE_SUFFIXES
from blinkd.errors import MediaError
from blinkd.measure.portraits import Refused, equal_files

FORM = "give a folder that holds one folder of pictures per person"


@dataclass(frozen=True, slots=True)
class Subject:
    """A person of a collection, named for the folder, and the pictures, each content once, by name."""

    name: str
    pictures: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Collection:
    """people: all that have a picture left, by name; refused: files and folders that are none of a person's pictures;
    duplicates: groups of byte-equal pictures. A content that lies in one person's folder several times is used once; one that lies in the
    folders of two people is not used at all, for one of the two names is wrong.
    """  # fmt: skip

    people: tuple[Subject, ...]
    refused: tuple[Refused, ...]
    duplicates: tuple[tuple[Path, ...], ...]

    @property
    def pictures(self) -> int:
        """How many pictures are left in all."""
        return sum(len(person.pictures) for person in self.people)


def read_collection(root: Path, same: Sequence[tuple[str, str]] = ()) -> Collection:
    """List a folder per person; no picture is decoded.

    same: pairs of folder names that show one person (a name spelled in two ways); the second one's pictures count as the first one's.
    Raises MediaError when the folder cannot be listed or holds no pictures, or when a name in `same` is no folder of it.
    """
    refused: list[Refused] = []
    found: dict[str, list[Path]] = {}
    try:
        if not root.is_dir():
            raise MediaError(f"{root}: {'is no folder' if root.exists() else 'no such folder'}; {FORM}")
        for entry in sorted(root.iterdir()):
            if entry.is_dir():
                found[entry.name] = _pictures(entry, refused)
            else:
                refused.append(Refused(entry, f"{entry}: lies in no person's folder"))
    except OSError as error:
        raise MediaError(f"{error.filename or root}: cannot be listed: {error.strerror}; check its owner and mode") from None
    for one, other in same:
        if one not in found or other not in found or one == other:
            raise MediaError(f"{root}: '{one}' and '{other}' are not two people of it; name two folders, as in --same A=B")
        found[one] += found.pop(other)
    if not any(found.values()):
        raise MediaError(f"{root}: no pictures of anybody in it; {FORM}")
    duplicates = equal_files(path for pictures in found.values() for path in pictures)
    owner = {path: name for name, pictures in found.items() for path in pictures}
    unusable = {path for group in duplicates for path in (group if len({owner[one] for one in group}) > 1 else group[1:])}
    people = []
    for name, pictures in found.items():
        kept = tuple(path for path in pictures if path not in unusable)
        if kept:
            people.append(Subject(name, kept))
    return Collection(tuple(people), tuple(refused), tuple(duplicates))


def _pictures(folder: Path, refused: list[Refused]) -> list[Path]:
    pictures = []
    for entry in sorted(folder.iterdir()):
        if entry.suffix.lower() in PICTURE_SUFFIXES and not entry.is_dir():
            pictures.append(entry)
        else:
            what = "is a folder inside a person's folder" if entry.is_dir() else "is no picture by its name"
            refused.append(Refused(entry, f"{entry}: {what}"))
    if not pictures:
        refused.append(Refused(folder, f"{folder}: no picture in it"))
    return pictures
