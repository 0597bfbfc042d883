"""What the operator decides about the HTTP API."""

from dataclasses import dataclass
from typing import Self

from blinkd.settings import RelaySettings

MINUTE_S = 60
CLAIM_RATE = 30  # new claims and answers a minute of each address: a technician who unpacks a site's terminals is slower


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """plain_records: whether the origin's clear bodies are taken; tls: whether clients come over TLS; claims: whether new terminals may ask to be
    taken in; dashboard: whether the organisation's pages are served; dashboard_origins: other servers from which they may be opened; the others:
    requests a minute.

    token_rate: of each token; address_rate: of each address, higher, since a site's clients share one;
    embedding_rate: of each token, each of them costs tenths of a second of a processor. Wrong tokens have no limit of their own: 256 bits
    can't be guessed, and who shares an address with a guesser would be shut out.
    """

    plain_records: bool = False
    tls: bool = False
    token_rate: int = 600
    address_rate: int = 1200
    embedding_rate: int = 60
    claims: bool = False
    dashboard: bool = True
    dashboard_origins: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: RelaySettings) -> Self:
        """What the settings say. A proxy counts as TLS: it is named only where it ends TLS."""
        return cls(
            plain_records=settings.plain_records,
            tls=settings.http_certificate is not None or bool(settings.http_proxies),
            token_rate=settings.http_rate,
            address_rate=settings.http_address_rate,
            embedding_rate=settings.http_embedding_rate,
            claims=settings.claims,
            dashboard=settings.dashboard,
            dashboard_origins=tuple(settings.dashboard_origins),
        )
