"""Lines by gpiozero, which is imported when a line is really wanted: few terminals have one."""

import contextlib
import importlib
import sys
from collections.abc import Iterator
from typing import Any, Literal

from blinkd.errors import LinesFailed

FACTORIES = {"lgpio": ("gpiozero.pins.lgpio", "LGPIOFactory"), "rpigpio": ("gpiozero.pins.rpigpio", "RPiGPIOFactory")}
INSTALL = "apt install python3-lgpio, or install blinkd with its extra 'pi'; or set the driver to 'none'"


class GpioLines:
    """The lines of one gpiozero pin factory."""

    def __init__(self, factory: Any) -> None:  # noqa: ANN401  gpiozero has no types
        """factory: used by nobody else, and closed with this."""
        self._factory = factory

    @classmethod
    def open(cls, driver: Literal["lgpio", "rpigpio"]) -> "GpioLines":
        """Reach the board. Raises LinesFailed: a library or the board is missing, or this user may not."""
        module, name = FACTORIES[driver]
        try:
            # named by us: gpiozero's own choice falls back from one library to the next, down to one that needs root
            factory = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as error:
            raise LinesFailed(f"driver {driver!r}: the package {error.name} is not installed here; {INSTALL}") from None
        except (ImportError, OSError, RuntimeError) as error:  # OSError: lgpio makes a file in the working directory when it is imported
            raise LinesFailed(f"driver {driver!r}: cannot be loaded: {error}; {INSTALL}") from None
        with _named(f"driver {driver!r}: the board's lines cannot be reached"):
            return cls(factory())

    def switch(self, number: int, *, active_high: bool) -> "GpioSwitch":
        """A line that is off from the moment on at which it is driven. Raises LinesFailed."""
        from gpiozero import DigitalOutputDevice  # noqa: PLC0415

        with _named(f"GPIO {number}"):
            return GpioSwitch(number, DigitalOutputDevice(number, active_high=active_high, initial_value=False, pin_factory=self._factory))

    def sense(self, number: int) -> "GpioSense":
        """A line that the board pulls up. Raises LinesFailed."""
        from gpiozero import InputDevice  # noqa: PLC0415

        with _named(f"GPIO {number}"):
            return GpioSense(number, InputDevice(number, pull_up=True, pin_factory=self._factory))

    def close(self) -> None:
        """All lines are given back."""
        with contextlib.suppress(LinesFailed), _named("the lines"):
            self._factory.close()


class GpioSwitch:
    """A line that drives."""

    def __init__(self, number: int, device: Any) -> None:  # noqa: ANN401
        self._number = number
        self._device = device

    def set(self, on: bool) -> None:
        """On or off. Raises LinesFailed."""
        with _named(f"GPIO {self._number}"):
            self._device.value = on

    def close(self) -> None:
        """Off first: what the board does with a line that nobody holds is its own affair."""
        for let_go in (self._device.off, self._device.close):
            with contextlib.suppress(LinesFailed), _named(f"GPIO {self._number}"):
                let_go()


class GpioSense:
    """A line that is looked at."""

    def __init__(self, number: int, device: Any) -> None:  # noqa: ANN401
        self._number = number
        self._device = device

    def closed(self) -> bool:
        """Whether it is pulled to ground. Raises LinesFailed."""
        with _named(f"GPIO {self._number}"):
            return bool(self._device.value)

    def close(self) -> None:
        """Give it back."""
        with contextlib.suppress(LinesFailed), _named(f"GPIO {self._number}"):
            self._device.close()


@contextlib.contextmanager
def _named(what: str) -> Iterator[None]:
    """What gpiozero and the library below it raise, as our own error."""
    try:
        yield
    except _errors() as error:
        raise LinesFailed(
            f"{what}: {error}; check that the number is right, that no other program has the line, that this is a Raspberry Pi, and that the "
            "user is in the group gpio"
        ) from None


def _errors() -> tuple[type[Exception], ...]:
    from gpiozero import GPIOZeroError  # noqa: PLC0415

    below: type[Exception] | None = getattr(sys.modules.get("lgpio"), "error", None)  # of no class that one could name without the library
    return (GPIOZeroError, OSError, RuntimeError, *(() if below is None else (below,)))
