"""Templates at rest: sealed one by one, several of different models for each moment that enrolment kept."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from peewee import SQL, fn

from blinkd.crypto.at_rest import TemplateCipher
from blinkd.errors import EnrolmentRefused
from blinkd.vision.face import Embedding

UNIT_TOLERANCE = 1e-3  # of a vector's length: float32 rounding stays below it, a network's output that was not normalised does not


class NewTemplate(Protocol):
    """What enrolment hands over of one moment."""

    @property
    def vectors(self) -> Mapping[str, Embedding]:
        """float32 (D,), unit length, by the id of the model that made it; each of its own D."""

    @property
    def quality(self) -> float:
        """0..1."""

    @property
    def source(self) -> str:
        """Where it came from, in words."""

    @property
    def view(self) -> str:
        """front, left, right or unknown."""

    @property
    def label(self) -> str:
        """The operator's word for it, or nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """vector: float32 (D,), unit length."""

    person_id: str
    vector: Embedding


@dataclass(frozen=True, slots=True)
class Changes:
    """Counts that only grow."""

    added: int
    removed: int


@dataclass(frozen=True, slots=True)
class Moment:
    """What is kept of one moment but the vectors; created_at: ISO 8601, UTC; models: for which there is a template of it."""

    view: str
    label: str
    quality: float
    source: str
    created_at: str
    models: tuple[str, ...]


class TemplateShelf:
    """The table of templates. Transactions are the caller's."""

    def __init__(self, tables: Any, cipher: Callable[[bool], TemplateCipher]) -> None:  # noqa: ANN401
        self._tables = tables
        self._cipher = cipher  # called with whether a missing key may be made

    def put(self, person_id: str, templates: Sequence[NewTemplate], at: str) -> None:
        """Seal templates of a person, one row for each model; what comes from one moment shares its id.

        Raises EnrolmentRefused(bad_vector) for one that is no unit vector or of another dimension than the stored ones of its model,
        KeyMissing when the key is not the one that sealed what is stored.
        """
        table = self._tables.templates
        cipher = self._cipher(True)
        dimensions = self._dimensions()
        for template in templates:
            moment = str(uuid.uuid4())
            for model_id, vector in template.vectors.items():
                _check(vector, dimensions.setdefault(model_id, vector.size), f"{template.source}: the template by {model_id}")
                template_id = str(uuid.uuid4())
                table.create(
                    id=template_id,
                    person_id=person_id,
                    model_id=model_id,
                    dimension=vector.size,
                    sealed=cipher.seal(template_id, person_id, model_id, vector),
                    quality=template.quality,
                    source=template.source,
                    created_at=at,
                    view=template.view,
                    label=template.label,
                    moment=moment,
                )

    def replace(self, person_id: str, templates: Sequence[NewTemplate], at: str) -> int:
        """Put templates in the place of all that a person has; returns of how many moments those were. Raises as `put`."""
        table = self._tables.templates
        old = list(table.select(table.id, table.moment).where(table.person_id == person_id))
        self.put(person_id, templates, at)  # first, so that what is stored still tells the dimension
        table.delete().where(table.id.in_([row.id for row in old])).execute()
        return len({row.moment for row in old})

    def read(self, model_id: str, after: int = 0) -> Iterator[Template]:
        """Every template of one model beyond a row, in the order in which they came. Raises KeyMissing when the key does not fit."""
        table = self._tables.templates
        cipher: TemplateCipher | None = None
        for row in table.select().where((table.model_id == model_id) & (SQL("rowid") > after)).order_by(SQL("rowid")).iterator():
            cipher = cipher or self._cipher(False)
            yield Template(row.person_id, cipher.open(row.id, row.person_id, row.model_id, bytes(row.sealed)))

    def changes(self) -> Changes:
        """How often templates have come and gone."""
        row = self._tables.template_changes.select().tuples().first()
        return Changes(int(row[1]), int(row[2]))

    def last(self) -> int:
        """The row of the newest template, 0 where there is none."""
        newest = self._tables.templates.select(fn.MAX(SQL("rowid"))).scalar()
        return 0 if newest is None else int(newest)

    def moments(self, person_id: str) -> list[Moment]:
        """What is kept of each of a person's moments, in the order in which they came."""
        table = self._tables.templates
        found: dict[str, Moment] = {}
        for row in table.select().where(table.person_id == person_id).order_by(SQL("rowid")):
            before = found.get(row.moment)
            models = (row.model_id,) if before is None else (*before.models, row.model_id)
            found[row.moment] = Moment(row.view, row.label, row.quality, row.source, row.created_at, models)
        return list(found.values())

    def lacking(self, model_id: str) -> set[str]:
        """Ids of the people who have no template of a model, and so are strangers to it."""
        people, table = self._tables.people, self._tables.templates
        own = table.select(table.person_id).where(table.model_id == model_id)
        return {row.id for row in people.select(people.id).where(people.id.not_in(own))}

    def _dimensions(self) -> dict[str, int]:
        table = self._tables.templates
        return {row.model_id: int(row.dimension) for row in table.select(table.model_id, table.dimension).group_by(table.model_id)}


def _check(vector: Embedding, dimension: int, what: str) -> None:
    if vector.ndim != 1 or vector.size != dimension:
        wrong = f"has the shape {vector.shape} where {dimension} numbers are wanted"
    elif not np.isfinite(vector).all():
        wrong = "holds what is no number"
    elif not abs(float(np.linalg.norm(vector)) - 1) < UNIT_TOLERANCE:
        wrong = f"has the length {float(np.linalg.norm(vector)):.3f} instead of 1"
    else:
        return
    raise EnrolmentRefused("bad_vector", f"{what} {wrong}; nothing was stored: run blinkd models verify")
