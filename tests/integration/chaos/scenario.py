"""Disturbs running parts at random moments and, at the end, heals everything and asks whether all is there.

A scenario holds parts (processes that are killed and started again) and networks (proxies that are cut or swallow). What it does follows from
its seed and from the moments at which the machine gets to it; the story is kept, for the message of a failure.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tests.services.proxy import Proxy

PATIENCE_S = 120.0
LOOK_S = 0.05  # between two looks at whether all has arrived; nobody can tell


class Part(Protocol):
    """What can be killed and started again; `blinkd.measure.servers.server.Server` is one."""

    name: str

    def launch(self) -> None: ...
    def start(self) -> None: ...
    def kill(self) -> None: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How rough it is, in seconds: each is drawn evenly from 0 to this."""

    undisturbed: float = 0.4  # between two disturbances; a kill may come before a process is even up
    dead: float = 0.1  # until a killed process is started again
    frozen: float = 0.2
    apart: float = 0.3  # a network is cut or a black hole


@dataclass
class Scenario:
    """Start the parts before. servers: whose address others need at once (broker, database); they are waited for when they start again."""

    seed: int
    parts: Sequence[Part]
    networks: Sequence[Proxy] = ()
    servers: frozenset[str] = frozenset()
    pace: Pace = Pace()
    extra: dict[str, Callable[[], None]] = field(default_factory=dict)  # further disturbances by name: wipe a store, move a clock
    extra_weight: int = 1  # against 6 for a kill, 1 for a freeze, 2 for a network
    kills: int = 0
    counts: Counter[str] = field(default_factory=Counter)  # of disturbances by kind
    story: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._pause = threading.Event()  # never set: waiting for it is how time passes
        self._began = time.monotonic()

    def disturb(self, times: int, meanwhile: Callable[[int], None]) -> None:
        """So many disturbances, one after the other. meanwhile: is called before each with its number, so that work goes on to the end."""
        for number in range(times):
            meanwhile(number)
            self._wait(self.pace.undisturbed)
            weights = [6, 1, 2 if self.networks else 0, self.extra_weight if self.extra else 0]
            (kind,) = self._chance.choices(["kill", "freeze", "network", "extra"], weights)
            if kind == "kill":
                self._kill(self._chance.choice(self.parts))
            elif kind == "freeze":
                self._freeze(self._chance.choice(self.parts))
            elif kind == "network":
                self._part(self._chance.choice(self.networks))
            else:
                name = self._chance.choice(sorted(self.extra))
                self._tell(name)
                self.extra[name]()

    def settle(self, arrived: Callable[[], bool], patience: float = PATIENCE_S) -> None:
        """Everything runs and is connected: wait until all has arrived. Fails with the story."""
        for network in self.networks:
            network.delay(0)
            network.resume()
        until = time.monotonic() + patience
        while not arrived():
            assert time.monotonic() < until, f"seed {self.seed}: not all has arrived after {patience:.0f} s\n" + "\n".join(
                self.story[-200:]
            )
            self._pause.wait(LOOK_S)

    def _kill(self, part: Part) -> None:
        self._tell(f"kill {part.name}")
        part.kill()
        self.kills += 1
        self._wait(self.pace.dead)
        if part.name in self.servers:
            part.start()
        else:
            part.launch()

    def _freeze(self, part: Part) -> None:
        self._tell(f"freeze {part.name}")
        part.freeze()
        self._wait(self.pace.frozen)
        part.thaw()

    def _part(self, network: Proxy) -> None:
        how = self._chance.choice([network.cut, network.black_hole, lambda: network.delay(self._chance.uniform(0, self.pace.apart))])
        name = getattr(how, "__name__", "delay").replace("<lambda>", "delay")
        self._tell(f"network to {network.target}: {name}", f"network: {name}")
        how()
        self._wait(self.pace.apart)
        network.delay(0)
        network.resume()

    def _wait(self, longest: float) -> None:
        self._pause.wait(self._chance.uniform(0, longest))

    def _tell(self, what: str, kind: str | None = None) -> None:
        self.counts[kind or what] += 1
        self.story.append(f"{time.monotonic() - self._began:8.3f} s  {what}")
