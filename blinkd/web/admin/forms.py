"""Forms as browsers send them: bounded, read only once it is known who sends them, and never by way of a file on disk."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from blinkd.errors import RequestRefused

FORM_BYTES = 64 * 1024  # of a form without files
MOST_FIELDS = 400
LONGEST_FIELD = 16 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a form. name: as the browser says, never a path to use."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Fields:
    """A form's fields and files by their names, in their order."""

    fields: Mapping[str, tuple[str, ...]]
    files: Mapping[str, tuple[Upload, ...]]

    def text(self, name: str, default: str = "") -> str:
        """The first value of a field, without white space around it."""
        return self.raw(name, default).strip()

    def raw(self, name: str, default: str = "") -> str:
        """The first value as it was typed: for passwords."""
        values = self.fields.get(name)
        return values[0] if values else default

    def texts(self, name: str) -> tuple[str, ...]:
        """All values of a field: of several boxes of one name."""
        return self.fields.get(name, ())

    def ticked(self, name: str) -> bool:
        """Whether a box is ticked."""
        return name in self.fields


class _InMemory(MultiPartParser):
    spool_max_size = 1 << 40  # files stay in memory, whose size `_bounded` limits: a face must not reach a disk


async def read_form(request: Request, most_bytes: int = FORM_BYTES, most_files: int = 0) -> Fields:
    """The body as a form. Raises RequestRefused: 413 too long, 415 no form, 422 malformed, 400 broken off."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    stream = _bounded(request, most_bytes)
    try:
        if kind == "application/x-www-form-urlencoded":
            found = await FormParser(request.headers, stream, max_fields=MOST_FIELDS, max_part_size=LONGEST_FIELD).parse()
        elif kind == "multipart/form-data":
            found = await _InMemory(
                request.headers, stream, max_files=most_files, max_fields=MOST_FIELDS, max_part_size=LONGEST_FIELD
            ).parse()
        else:
            raise RequestRefused(415, "no_form", "this address takes forms only")
    except MultiPartException as error:
        raise RequestRefused(422, "malformed", f"the form cannot be read: {error.message.rstrip('.').lower()}") from None
    fields: dict[str, list[str]] = {}
    files: dict[str, list[Upload]] = {}
    for name, value in found.multi_items():
        if isinstance(value, UploadFile):
            content = await value.read()
            await value.close()
            if value.filename or content:  # a field for files that was left empty sends an empty one
                files.setdefault(name, []).append(Upload(value.filename or "", content))
        else:
            fields.setdefault(name, []).append(value)
    return Fields({name: tuple(values) for name, values in fields.items()}, {name: tuple(ones) for name, ones in files.items()})


async def _bounded(request: Request, most_bytes: int) -> AsyncGenerator[bytes]:
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most_bytes:
        raise _too_long(most_bytes)
    read = 0
    try:
        async for chunk in request.stream():
            read += len(chunk)
            if read > most_bytes:
                raise _too_long(most_bytes)
            yield chunk
    except ClientDisconnect:  # nobody is there to be told, and it is no fault of ours to be logged as one
        raise RequestRefused(400, "broken_off", "the connection ended before the form did; send it again") from None


def _too_long(most_bytes: int) -> RequestRefused:
    return RequestRefused(413, "too_long", f"what was sent is longer than {most_bytes // 1024} KiB; send less at once")
