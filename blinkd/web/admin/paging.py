"""Long lists, a page at a time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlencode

from fastapi import Request

SIZE = 50  # rows of a page: some screens of a tablet


@dataclass(frozen=True, slots=True)
class Paging:
    """number: of the page, from 1; total: rows of all pages; path, query: of the page, for links to its neighbours."""

    number: int
    size: int
    total: int
    path: str = ""
    query: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, request: Request, total: int, size: int = SIZE) -> Self:
        """By `?page=`; a page that there is not is the nearest one."""
        query = {name: value for name, value in request.query_params.items() if name != "page"}
        wanted = request.query_params.get("page", "1")
        number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 10 else 1
        return cls(min(max(number, 1), max(1, -(-total // size))), size, total, request.url.path, query)

    @property
    def pages(self) -> int:
        """How many there are; one where there is nothing."""
        return max(1, -(-self.total // self.size))

    @property
    def skip(self) -> int:
        """Rows before the first one of this page."""
        return (self.number - 1) * self.size

    @property
    def first(self) -> int:
        """Number of the first row that is shown, from 1; 0 where there is none."""
        return min(self.skip + 1, self.total)

    @property
    def last(self) -> int:
        """Number of the last row that is shown."""
        return min(self.skip + self.size, self.total)

    def link(self, number: int) -> str:
        """The address of a page of the list."""
        return f"{self.path}?{urlencode({**self.query, 'page': number})}"
