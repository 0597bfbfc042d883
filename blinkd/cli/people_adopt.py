"""The verb people adopt: takes over people whom the origin's mobile app enrolled, from its sealed embeddings."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from blinkd.attendance.punch import PersonStatus
from blinkd.cli.output import JsonFlag, print_json
from blinkd.cli.passwords import PasswordFd, Passwords
from blinkd.crypto.origin import OriginReader
from blinkd.errors import ConfigError, EnrolmentRefused, EnvelopeRejected, ImportRefused
from blinkd.parts import Parts
from blinkd.settings import Settings
from blinkd.store.database import Store
from blinkd.vision.face import Embedding

SOURCE = "mobile app"  # of such templates
SHORTEST, LONGEST = 0.5, 2.0  # lengths of vectors that a network can have made; they are brought to unit length


@dataclass(frozen=True, slots=True)
class Adopted:
    """A template of a moment that nobody here has seen: its quality is not known."""

    vectors: Mapping[str, Embedding]
    quality: float = 0.0
    source: str = SOURCE
    view: str = "unknown"
    label: str = ""


@dataclass(frozen=True, slots=True)
class User:
    """A person of the app. envelope: of version 1."""

    id: str
    name: str
    status: PersonStatus
    envelope: Any


def adopt(
    context: typer.Context,
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="What GET /api/v1/sync/users answers; without it, what this terminal took over from the origin's own database.",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help="The embedder that the app used; a wrong one makes strangers of everybody.")
    ] = "mobilefacenet",
    password_fd: PasswordFd = None,
    as_json: bool = JsonFlag,
) -> None:
    """Take over people whom the origin's mobile app enrolled. Their embeddings open by the app's password and sync.origin_salt.

    What cannot be used is named, with the reason; the others are taken in.
    """
    settings: Settings = context.obj
    if not settings.sync.origin_salt:
        raise ConfigError("sync.origin_salt is not set; set it to the salt that the app was built with")
    parts = Parts(settings)
    if (dimension := parts.manifest.entry(model).dimension) is None:
        raise typer.BadParameter(f"--model {model}: makes no embeddings; `blinkd models list` shows which do")
    reader = OriginReader(Passwords(password_fd).existing("password of the mobile app"), settings.sync.origin_salt.encode())
    taken: list[str] = []
    refused: dict[str, str] = {}
    with parts.open_store() as store:
        for user in _users(path) if path is not None else _kept(store):
            try:
                vector = _unit(reader.open(user.envelope), dimension)
                _take(store, user, Adopted({model: vector}))
                taken.append(user.id)
            except (EnvelopeRejected, EnrolmentRefused) as error:
                refused[user.id] = str(error)
    if as_json:
        print_json({"adopted": taken, "refused": refused})
    else:
        for person_id, why in refused.items():
            typer.echo(f"{person_id}: {why}", err=True)
        typer.echo(f"{len(taken)} people taken over, {len(refused)} refused")
    if refused:
        raise typer.Exit(1)


def _take(store: Store, user: User, template: Adopted) -> None:
    with store.people.exclusive():
        if store.people.find(user.id) is None:
            store.people.enrol(user.id, user.name, [template])
            if user.status is not PersonStatus.ACTIVE:
                store.people.set_status(user.id, user.status)
        elif not any(moment.source == SOURCE for moment in store.people.moments(user.id)):
            store.people.add_templates(user.id, [template])


def _unit(vector: Embedding, dimension: int) -> Embedding:
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if vector.size != dimension:
        raise EnvelopeRejected("bad_content", f"{vector.size} numbers, where the model named by --model makes {dimension}")
    if not SHORTEST <= length <= LONGEST:
        raise EnvelopeRejected("bad_content", f"a vector of length {length:.3g}, which no embedder makes")
    return (vector / length).astype(np.float32)


def _users(path: Path) -> Iterator[User]:
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise ImportRefused(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise ImportRefused(f"{path}: is no JSON; write there what GET /api/v1/sync/users answers") from None
    found = value.get("users") if isinstance(value, dict) else value
    if not isinstance(found, list):
        raise ImportRefused(f"{path}: holds no list of users; write there what GET /api/v1/sync/users answers")
    for number, one in enumerate(found, start=1):
        try:
            envelope = one["encrypted_envelope_json"]
            envelope = json.loads(envelope) if isinstance(envelope, str) else envelope
            yield User(str(one["id"]), str(one["name"]), PersonStatus(one["status"]), envelope)
        except (KeyError, TypeError, ValueError):
            raise ImportRefused(f"{path}: user {number} is none of the origin's; those before it were taken in") from None


def _kept(store: Store) -> Iterator[User]:
    for person, envelope in store.people.origin_envelopes():
        try:
            yield User(person.id, person.name, person.status, json.loads(envelope))
        except ValueError:
            yield User(person.id, person.name, person.status, None)
