"""An organisation with its authority and keyring, and terminals that are about to belong to it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from blinkd.clock import Confidence, Instant
from blinkd.crypto.authority import TERMINAL_DAYS, Authority
from blinkd.crypto.box import Box
from blinkd.crypto.keyring import KeyringFile
from blinkd.crypto.request import UNCLAIMED, Request, make_request, own_tls_key
from blinkd.crypto.signing import Signer
from blinkd.fleet.arrival import Arrival, Given, Here, examine
from blinkd.fleet.bundle import Bundle, authority_fingerprint
from blinkd.fleet.making import Wanted, answer_request, make_whole
from blinkd.fleet.placing import place_all

PASSWORD = "correct horse battery staple"
NOW = datetime.now(UTC)  # certificates are made by the machine's own clock
SETTINGS = '[sync]\nbroker = "mqtt.example"\n'


def at(utc: datetime = NOW, confidence: Confidence = "synced") -> Instant:
    return Instant(utc, 0.0, "boot", confidence)


@dataclass(frozen=True, slots=True)
class Site:
    authority: Authority
    keyring: KeyringFile

    @classmethod
    def begun(cls, folder: Path, org: str = "acme") -> "Site":
        return cls(Authority.create(folder, org), KeyringFile.create(org, PASSWORD, NOW.date()))

    @property
    def fingerprint(self) -> str:
        return authority_fingerprint(self.authority.ca_pem)

    def whole(
        self, terminal: str = "door-1", settings: str = SETTINGS, *, now: datetime = NOW, valid: int = 30, locked: bool = False
    ) -> tuple[Bundle, str]:
        """A bundle with keys, and its code."""
        with self.keyring.opened(PASSWORD) as secret:
            wanted = Wanted(self.keyring, None if locked else secret, settings, timedelta(days=valid))
            return make_whole(self.authority, terminal, TERMINAL_DAYS, wanted, now)

    def answer(self, request: Request, *, now: datetime = NOW, keyring: KeyringFile | None = None, settings: str = SETTINGS) -> Bundle:
        """A bundle for a request."""
        file = keyring or self.keyring
        with file.opened(PASSWORD) as secret:
            return answer_request(self.authority, request, TERMINAL_DAYS, Wanted(file, secret, settings), now)


@dataclass(frozen=True, slots=True)
class Door:
    """A terminal."""

    here: Here

    @classmethod
    def new(cls, folder: Path, settings: str | None = None) -> "Door":
        state, config = folder / "state", folder / "etc" / "blinkd.toml"
        state.mkdir(mode=0o700, parents=True)
        config.parent.mkdir()
        if settings is not None:
            config.write_text(settings)
        return cls(Here(state, config))

    def request(self, terminal: str = "door-1", org: str = "acme") -> Request:
        folder = self.here.state_dir
        signer, box = Signer.load(folder, create=True), Box.load(folder, create=True)
        return make_request(terminal, org, own_tls_key(folder), signer.public, box.public)

    def unclaimed(self, terminal: str = "terminal-1") -> Request:
        return self.request(terminal, UNCLAIMED)

    def examine(self, bundle: Bundle, given: Given, now: Instant | None = None) -> Arrival:
        return examine(bundle, self.here, given, now or at())

    def install(self, bundle: Bundle, given: Given, now: Instant | None = None) -> Arrival:
        arrival = self.examine(bundle, given, now)
        place_all(self.here.state_dir, arrival.places)
        return arrival

    def files(self) -> dict[str, bytes]:
        """All that is there, by path."""
        root = self.here.state_dir.parent
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
