"""All that a terminal holds on one person, for that person."""

from typing import Any

from blinkd.attendance.punch import pseudonym
from blinkd.errors import UnknownPerson
from blinkd.store.book import BookRepository
from blinkd.store.database import Store
from blinkd.store.transcript import transcript

ABOUT = ("assignment", "credential", "deletion", "withdrawal")  # entries on a person that are not told of with a punch


def dossier(store: Store, person_id: str, terminal: str, *, vectors: bool = False) -> dict[str, Any]:
    """Person, groups, consent, templates, punches with their corrections, shifts and scan attempts, as JSON values.

    person_id: of somebody who is enrolled, or the id or pseudonym that is left of somebody who was; vectors: the templates themselves too,
    decrypted. Raises UnknownPerson, KeyMissing, StoreError.
    """
    person = store.people.find(person_id)
    # an id that was somebody else's before does not give their hours to whoever has it now
    subjects = store.book.subjects_of(person_id) if person is None else [person.subject]
    about = _entries(store.book, set(subjects))
    punches = (
        list(transcript(store.book, terminal, person_id=person_id if person is None else pseudonym(person.subject))) if subjects else []
    )
    if person is None and not punches and not about:
        raise UnknownPerson(f"nobody has the id {person_id!r}, and nothing is held under it; blinkd people list shows who is enrolled")
    held: dict[str, Any] = {"id": person_id, "erased": person is None}
    if person is not None:
        first, until = (None if day is None else day.isoformat() for day in (person.valid_from, person.valid_until))
        held |= {
            "name": person.name,
            "status": person.status.value,
            "enrolled_at": person.enrolled_at.isoformat(),
            "valid_from": first,
            "valid_until": until,
            "groups": list(person.groups),
            "templates": store.people.kept_templates(person_id),
            "enrolments": store.people.enrolments(person_id),
            "credentials": store.credentials.kept(person_id),
        }
        if vectors:
            models = {template["model_id"] for template in held["templates"]}
            held["vectors"] = {
                model: [one.vector.tolist() for one in store.people.templates(model) if one.person_id == person_id]
                for model in sorted(models)
            }
    name = None if person is None else person.name
    held["punches"] = [line | {"name": name} for line in punches]
    held["entries"] = about
    held["scans"] = [scan for subject in subjects for scan in store.scans.read(subject)]
    return held


def _entries(book: BookRepository, subjects: set[int]) -> list[dict[str, Any]]:
    return [
        {"seq": seq, **{key: value for key, value in content.items() if key not in ("note", "subject")}, "why": note}
        for seq, content, note in book.entries(*ABOUT)
        if content.get("subject") in subjects
    ]
