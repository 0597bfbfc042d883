"""Takes the one file out of a form, in memory: nothing of a picture may reach a disk, not even a temporary file."""

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from blinkd.errors import RequestRefused

MOST_PARTS = 8  # a form with more is not one of ours; fields beside the file are ignored


class _Parts:
    """Collects what the parser calls out."""

    def __init__(self) -> None:
        self.found: list[tuple[str, bytearray]] = []
        self._field = bytearray()
        self._value = bytearray()
        self._headers: dict[str, str] = {}

    def begin(self) -> None:
        if len(self.found) >= MOST_PARTS:
            raise FormParserError("too many parts")
        self._headers = {}
        self.found.append(("", bytearray()))

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        self._headers[self._field.decode("latin-1").lower()] = self._value.decode("latin-1")
        self._field.clear()
        self._value.clear()

    def headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get("content-disposition"))
        self.found[-1] = (options.get(b"name", b"").decode("latin-1"), self.found[-1][1])

    def data(self, data: bytes, start: int, end: int) -> None:
        self.found[-1][1].extend(memoryview(data)[start:end])


def file_of(content_type: str, body: bytes, field: str = "file") -> bytes:
    """The content of a form's field. Raises RequestRefused (422) for what is no form, or has this field not exactly once, or empty."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    parts = _Parts()
    if not boundary:
        raise RequestRefused(422, "malformed", "the content type names no boundary")
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": parts.begin,
                "on_header_field": parts.header_field,
                "on_header_value": parts.header_value,
                "on_header_end": parts.header_end,
                "on_headers_finished": parts.headers_finished,
                "on_part_data": parts.data,
            },
        )
        parser.write(body)
        parser.finalize()
    except FormParserError:
        raise RequestRefused(422, "malformed", "the body is no form of the kind multipart/form-data") from None
    files = [content for name, content in parts.found if name == field]
    if len(files) != 1 or not files[0]:
        raise RequestRefused(422, "malformed", f"the form has the field '{field}' not exactly once, or it is empty")
    return bytes(files[0])
