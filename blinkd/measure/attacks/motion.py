"""How a hand moves what it holds: slow drift and the faster physiological tremor, as a sum of sinusoids drawn once from a seed."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Chance = np.random.Generator
Offsets = npt.NDArray[np.float64]
"""float64 (6,): x, y, z in metres, yaw, pitch, roll in degrees."""

DRIFT_HZ = (0.1, 0.6)
TREMOR_HZ = (1.0, 8.0)  # of an outstretched arm holding a light thing
WAVES = 4  # sinusoids for each of drift and tremor and each degree of freedom
DRIFT_M, DRIFT_DEG = 0.008, 1.5  # amplitude of a steady hand's drift
TREMOR_M, TREMOR_DEG = 0.0008, 0.25  # amplitude at 1 Hz; it falls with the frequency


@dataclass(frozen=True, slots=True, eq=False)
class Sway:
    """A smooth random movement. Each array is (6, waves): amplitude (metres, degrees), frequency (Hz), phase (radians)."""

    amplitude: npt.NDArray[np.float64]
    frequency: npt.NDArray[np.float64]
    phase: npt.NDArray[np.float64]

    def at(self, t: float) -> Offsets:
        """Offsets after t seconds."""
        return np.asarray((self.amplitude * np.sin(2 * np.pi * self.frequency * t + self.phase)).sum(axis=1))


def hand(chance: Chance, strength: float = 1.0, drift: float = 1.0) -> Sway:
    """The movement of a hand. strength: of the tremor, 1 is a steady adult; drift: of the slow movement; 0 is a fixed mount."""
    unit = np.array([1, 1, 1, 0, 0, 0])[:, None]
    slow_hz = chance.uniform(*DRIFT_HZ, (6, WAVES))
    fast_hz = chance.uniform(*TREMOR_HZ, (6, WAVES))
    slow = (DRIFT_M * unit + DRIFT_DEG * (1 - unit)) * drift / WAVES * chance.uniform(0.5, 1.5, (6, WAVES))
    fast = (TREMOR_M * unit + TREMOR_DEG * (1 - unit)) * strength / fast_hz * chance.uniform(0.5, 1.5, (6, WAVES))
    return Sway(np.hstack([slow, fast]), np.hstack([slow_hz, fast_hz]), chance.uniform(0, 2 * np.pi, (6, 2 * WAVES)))


def glide(t: float, seconds: float, low: float, high: float, turns: float, phase: float) -> float:
    """A value that swings smoothly between low and high `turns` times in `seconds`."""
    return (low + high) / 2 + (high - low) / 2 * float(np.sin(2 * np.pi * turns * t / seconds + phase))
