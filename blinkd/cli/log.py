"""The verbs log …: the punches, the proof that nobody changed them, and corrections beside them."""

import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from blinkd.attendance.imports import aware, read_rows, take_in
from blinkd.attendance.proof import Anchor, Proof, in_order, prove
from blinkd.attendance.punch import Direction, pseudonym
from blinkd.attendance.supervisor import Supervisor
from blinkd.cli.moments import moment
from blinkd.cli.output import JsonFlag, console, notes, print_json
from blinkd.crypto.keyfile import KEY_BYTES
from blinkd.crypto.signing import Signer
from blinkd.errors import KeyMissing, NotAllowed, StoreError
from blinkd.parts import Parts
from blinkd.settings import Settings
from blinkd.store.anchors import FORM, head_file, journal, other_heads
from blinkd.store.database import Store
from blinkd.store.transcript import transcript

app = typer.Typer(invoke_without_command=True, help="The punches, newest last; verify, void, uphold, amend, add, disown, import.")

HASH_BYTES = 32

By = Annotated[str, typer.Option("--by", metavar="WHO", help="Who decides this; it stays in the book.")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="Why; it stays in the book.")]
Seq = Annotated[int, typer.Argument(metavar="SEQ", min=0, max=2**63 - 1, help="Number of the punch, as blinkd log shows it.")]


@app.callback()
def log(
    context: typer.Context,
    since: Annotated[datetime | None, typer.Option("--since", metavar="TIME", parser=moment, help="Punches from then on.")] = None,
    until: Annotated[datetime | None, typer.Option("--until", metavar="TIME", parser=moment, help="Punches before it.")] = None,
    person: Annotated[str | None, typer.Option("--person", metavar="ID", help="Only this person.")] = None,
    as_json: bool = JsonFlag,
) -> None:
    """Every punch, newest last, as it stands now and as it was recorded; what was voided too.

    A time that was recorded by a clock that nobody kept right is marked `uncertain`.
    """
    if context.invoked_subcommand is not None:
        return
    settings: Settings = context.obj
    zone = settings.terminal.zone
    start, end = (None if limit is None else limit if limit.tzinfo else limit.replace(tzinfo=zone) for limit in (since, until))
    table = Table(
        "seq", "time", Column("person", overflow="fold"), "status", "punctuality", "sync", Column("remarks", overflow="fold"), box=None
    )
    with Parts(settings).open_store(read_only=True) as store:
        names = {known.subject: known.name for known in store.people.all()}
        count = 0
        for line in transcript(store.book, settings.terminal.id, start, end, person, names):
            count += 1
            if as_json:
                print_json(line)
                continue
            when = datetime.fromisoformat(line["timestamp"]).astimezone(zone)
            who = line["name"] or line["person_id"]
            minutes = f" {line['minutes']} min" if line["minutes"] else ""
            table.add_row(
                str(line["seq"]),
                f"{when:%Y-%m-%d %H:%M:%S}",
                who,
                line["status"],
                f"{line['punctuality']}{minutes}",
                line["sync"],
                ", ".join(_remarks(line)),
            )
    if not as_json:
        console().print(table if count else "no punches", markup=False)  # a name may hold square brackets


def _remarks(line: dict[str, Any]) -> list[str]:
    remarks = [] if line["certainty"] == "certain" else [f"time {line['certainty']}"]
    if line["method"] in ("pin", "badge"):
        remarks.append(f"by {line['method']}")
    if line["state"] != "valid":
        remarks.append(line["state"])
    for one in line["corrections"]:
        remarks.append(f"{one['what']} by {one['by']}: {one['why'] or 'words erased'}")
    return remarks


@app.command("verify")
def verify(
    context: typer.Context,
    heads: Annotated[
        list[str] | None, typer.Option("--head", metavar="SEQ:HASH", help="A head that was noted earlier; may be given several times.")
    ] = None,
    public_key: Annotated[
        str | None, typer.Option("--public-key", metavar="HEX", help="The terminal's key, where its key file is not at hand.")
    ] = None,
    as_json: bool = JsonFlag,
) -> None:
    """Prove that nothing in the book was edited, dropped, reordered or cut off; name the first bad entry.

    What the head was earlier is asked of the file book.head, of the system's journal, and of --head. Prints the head: noted elsewhere,
    it proves later that the book still holds everything up to it.
    """
    settings: Settings = context.obj
    given = [_head(text) for text in heads or []]
    key = _key(settings.state_dir) if public_key is None else _hex(public_key, KEY_BYTES, "--public-key")
    with Parts(settings).open_store(read_only=True) as store:
        entries, strays = store.book.audit()
        anchors, torn = list(given), None
        try:
            beside = head_file(settings.state_dir, key)
            anchors += other_heads(settings.state_dir, key)
        except StoreError as error:
            beside, torn = None, str(error)
        anchors += journal() if beside is None else [beside, *journal()]
        status = notes()
        proof = prove(
            in_order(entries, strays),
            anchors,
            key,
            lambda count: status.print(f"{count} entries", end="\r") if sys.stderr.isatty() else None,
        )
        _prove_people(store, proof)
        altered = store.alterations()
        waiting = proof.entries == 0 and next(store.book.punches(), None) is not None
    if waiting:
        proof.first_bad = (1, "an older version recorded it unsigned; start the daemon once, which takes the old book into the chain")
    if torn is not None:
        proof.warnings.append(torn)
    if altered:
        proof.warnings.append(f"somebody changed the database's own rules, which keep the book: {', '.join(altered)}")
    if not proof.anchors and proof.entries:
        proof.warnings.append(
            "nothing outside of the database tells how long the book was: whether its end was cut off is not proved; give --head"
        )
    proved = proof.ok and torn is None and not altered and bool(proof.anchors or not proof.entries)
    answer = {
        "ok": proved,
        "book": proof.book,
        "entries": proof.entries,
        "punches": proof.punches,
        "erased": proof.erased,
        "adopted": proof.adopted,
        "head": None if proof.head is None else {"seq": proof.head[0], "hash": proof.head[1].hex()},
        "public_key": proof.key,
        "first_bad": None if proof.first_bad is None else {"seq": proof.first_bad[0], "reason": proof.first_bad[1]},
        "anchors": proof.anchors,
        "warnings": proof.warnings,
    }
    if as_json:
        print_json(answer)
    else:
        _say(proof, proved)
    if not proved:
        raise typer.Exit(1)


def _prove_people(store: Store, proof: Proof) -> None:
    """The book names people by pseudonyms; whose these are stands outside of it."""
    if proof.book is None:
        return  # what an older version recorded is not in a chain yet, and the proof says so
    found = []
    for subject, person_id in store.vouching.unproved(None if proof.key is None else bytes.fromhex(proof.key)).items():
        first = next(store.book.punches(person_id=pseudonym(subject)), None)
        seq = 0 if first is None else first.seq
        found.append(
            (
                seq,
                f"what the database says of {person_id!r} is not what was entered: the id, name, status or dates were changed from outside",
            )
        )
    for subject, seq in store.vouching.nameless().items():
        found.append((seq, f"nobody is known by its {pseudonym(subject)}, and no signed entry says that the person was deleted"))
    proof.first_bad = min([*found, *([] if proof.first_bad is None else [proof.first_bad])], default=None)


def _say(proof: Proof, proved: bool) -> None:
    out = console()
    if proof.first_bad is not None:
        out.print(f"entry {proof.first_bad[0]}: {proof.first_bad[1]}", markup=False)
    for warning in proof.warnings:
        out.print(f"warning: {warning}", markup=False)
    if proof.head is not None:
        out.print(f"{proof.entries} entries, {proof.punches} punches, {proof.erased} erased, {proof.adopted} from an older version")
        out.print(f"head {proof.head[0]}:{proof.head[1].hex()}", soft_wrap=True)
    for anchor in proof.anchors[-3:]:
        out.print(f"agrees with {anchor}", markup=False)
    out.print("the book is whole" if proved else "NOT PROVED", markup=False)


def _key(state_dir: Path) -> bytes | None:
    try:
        return Signer.load(state_dir, create=False).public
    except KeyMissing:
        return None  # said in the proof's warnings


def _head(text: str) -> Anchor:
    seq, _, value = text.partition(":")
    if not seq.isdigit():
        raise typer.BadParameter(f"{text!r}: write it as {FORM}")
    return Anchor("--head", "", int(seq), _hex(value, HASH_BYTES, "--head"))


def _hex(text: str, length: int, what: str) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != length:
        raise typer.BadParameter(f"{what}: {text!r} is not {2 * length} hexadecimal digits")
    return value


@app.command("void")
def void(context: typer.Context, seq: Seq, by: By, why: Why, as_json: bool = JsonFlag) -> None:
    """A supervisor decides that a punch does not count. It stays visible."""
    _correct(context, by, as_json, lambda one: one.void(seq, why))


@app.command("uphold")
def uphold(context: typer.Context, seq: Seq, by: By, why: Why, as_json: bool = JsonFlag) -> None:
    """A supervisor decides that a punch counts as it was recorded, whatever was said of it since."""
    _correct(context, by, as_json, lambda one: one.uphold(seq, why))


@app.command("amend")
def amend(
    context: typer.Context,
    seq: Seq,
    by: By,
    why: Why,
    time: Annotated[datetime | None, typer.Option("--time", metavar="TIME", parser=moment, help="When it really was.")] = None,
    status: Annotated[Direction | None, typer.Option("--status", help="What it really was.")] = None,
    as_json: bool = JsonFlag,
) -> None:
    """A supervisor gives the right time or direction of a punch. What was recorded stays visible."""
    settings: Settings = context.obj
    when = None if time is None else _of_site(time, settings)
    _correct(context, by, as_json, lambda one: one.amend(seq, why, when, status))


@app.command("add")
def add(
    context: typer.Context,
    person: Annotated[str, typer.Argument(metavar="PERSON", help="The person's id.")],
    time: Annotated[datetime, typer.Argument(metavar="TIME", parser=moment, help="When they came or went.")],
    status: Annotated[Direction, typer.Argument(help="What they did.")],
    by: By,
    why: Why,
    as_json: bool = JsonFlag,
) -> None:
    """A supervisor adds a punch that the terminal did not record."""
    settings: Settings = context.obj
    when = _of_site(time, settings)
    _correct(context, by, as_json, lambda one: one.add(person, when, status, why))


@app.command("disown")
def disown(context: typer.Context, seq: Seq, as_json: bool = JsonFlag) -> None:
    """The person before the terminal says within attendance.disown_s of a punch: not me."""
    parts = Parts(context.obj)
    with parts.open_store() as store:
        entry = parts.clerk(store, store, parts.clock).disown(seq)
    _said(entry, as_json)


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Columns person_id,timestamp,status[,id][,terminal].")],
    by: By,
    why: Why,
    as_json: bool = JsonFlag,
) -> None:
    """Take in punches that another system or terminal recorded: all rows, or none."""
    settings: Settings = context.obj
    rows = read_rows(file, settings.terminal.zone)
    parts = Parts(settings)
    with parts.open_store() as store:
        count = take_in(file, rows, store.book, parts.clock, by, why)
    if as_json:
        print_json({"imported": count})
    else:
        console().print(f"{count} punches imported from {file}", markup=False)


def _correct(context: typer.Context, by: str, as_json: bool, work: Callable[[Supervisor], int]) -> None:
    parts = Parts(context.obj)
    with parts.open_store() as store:
        entry = work(Supervisor(store.book, parts.clock, by))
    _said(entry, as_json)


def _of_site(time: datetime, settings: Settings) -> datetime:
    """Aware; local time of the site where no offset was given. Raises NotAllowed for one that comes never or twice that night."""
    try:
        return aware(time, settings.terminal.zone)
    except ValueError as error:
        raise NotAllowed(str(error)) from None


def _said(entry: int, as_json: bool) -> None:
    if as_json:
        print_json({"entry": entry})
    else:
        console().print(f"written as entry {entry}; blinkd log shows how the punch stands now")
