"""One broker and a few clients for the tests of this folder."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from blinkd.measure.servers.mosquitto import Mosquitto
from tests.services.certificates import Authority
from tests.services.mqtt import Peer


@dataclass
class Site:
    """An organisation `acme` with its broker; terminals and relays come by name and keep their certificates."""

    broker: Mosquitto
    authority: Authority
    folder: Path
    _files: dict[str, tuple[Path, Path]] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    def files(self, terminal: str) -> tuple[Path, Path]:
        if terminal not in self._files:
            self._files[terminal] = self.authority.terminal(terminal).write(self.folder, terminal)
        return self._files[terminal]

    def terminal(self, name: str, **options: Any) -> Peer:
        """Not connected yet."""
        return Peer(options.pop("port", self.broker.port), self.broker.ca, self.files(name), options.pop("client", name), **options)

    def relay(self, client: str = "relay-1", **options: Any) -> Peer:
        """Not connected yet."""
        if "relay" not in self._files:
            self._files["relay"] = self.authority.relay().write(self.folder, "relay")
        return Peer(options.pop("port", self.broker.relay_port), self.broker.ca, self._files["relay"], client, **options)

    def connected(self, peer: Peer) -> Peer:
        """Connected until the test ends."""
        return self._stack.enter_context(peer)

    def close(self) -> None:
        self._stack.close()


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A broker that the tests of a file share: none of them stops it."""
    yield from _site(tmp_path_factory.mktemp("site"))


@pytest.fixture
def site(standing: Site) -> Iterator[Site]:
    """The shared broker; its clients leave after each test."""
    yield standing
    standing.close()
    standing._stack = ExitStack()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Site]:
    """A broker that the test may kill."""
    yield from _site(tmp_path)


def _site(folder: Path) -> Iterator[Site]:
    authority = Authority("acme")
    broker = Mosquitto(folder / "broker", authority)
    site = Site(broker, authority, folder)
    broker.start()
    try:
        yield site
    finally:
        site.close()
        broker.kill()
