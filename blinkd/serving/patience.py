"""HTTP/1.1 with little patience: uvicorn itself waits for a request, and for its answer to be read, as long as the client likes."""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_S = 10.0  # from the connection, or a request's first byte, to the end of its headers; a slow line needs less than one
BODY_S = 60.0  # from there to the end of its body, also of one that nobody reads: a phone on a poor line sends 10 MB in half of it
READ_S = 60.0  # for an answer that the client does not read on


class PatientProtocol(H11Protocol):
    """Closes connections in which nothing goes on, or too slowly, so that they can't take up all there are."""

    _deadline: asyncio.TimerHandle | None = None
    _body_deadline: asyncio.TimerHandle | None = None
    _body_of: object = None  # the request whose body is waited for
    _read_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it too
        """A client has come."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Something has come."""
        self._watch()
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._rest()

    def handle_events(self) -> None:
        """What has come is looked at, or what came before the last answer was given."""
        super().handle_events()
        waiting = self.cycle if self.conn.their_state is h11.SEND_BODY else None
        if waiting is not self._body_of:
            _cancel(self._body_deadline)
            self._body_deadline = None if waiting is None else self.loop.call_later(BODY_S, self.transport.close)
            self._body_of = waiting

    def pause_writing(self) -> None:
        """The client reads more slowly than it is answered."""
        super().pause_writing()
        if self._read_deadline is None:
            self._read_deadline = self.loop.call_later(READ_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read on."""
        _cancel(self._read_deadline)
        self._read_deadline = None
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._rest()
        _cancel(self._body_deadline)
        _cancel(self._read_deadline)
        super().connection_lost(exc)

    def _watch(self) -> None:
        if self._deadline is None and self.conn.their_state is h11.IDLE:
            self._deadline = self.loop.call_later(HEADERS_S, self.transport.close)

    def _rest(self) -> None:
        _cancel(self._deadline)
        self._deadline = None


def _cancel(deadline: asyncio.TimerHandle | None) -> None:
    if deadline is not None:
        deadline.cancel()
