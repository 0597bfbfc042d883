"""Fills terminals' stores as use would, through the parts that use goes through, only faster."""

import numpy as np

from blinkd.attendance.punch import Punch
from blinkd.errors import StoreError
from blinkd.identity.enrolment import NewTemplate
from blinkd.models.manifest import Manifest
from blinkd.parts import Parts
from blinkd.store.database import Store

PORTION = 1000  # in a transaction: one by one each would wait for the disk


def enrol(store: Store, manifest: Manifest, count: int) -> None:
    """So many people with a template of every embedder that the manifest has, of random directions."""
    chance = np.random.default_rng(42)
    models = embedders(manifest)
    for start in range(0, count, PORTION):
        with store.transaction():
            for number in range(start, min(start + PORTION, count)):
                vectors = {}
                for model, dimension in models.items():
                    vector = chance.standard_normal(dimension).astype(np.float32)
                    vectors[model] = vector / np.linalg.norm(vector)
                store.people.enrol(f"P-{number:05d}", f"Person {number:05d}", [NewTemplate(vectors, 0.8, "bench")])


def embedders(manifest: Manifest) -> dict[str, int]:
    """Every embedder's dimension."""
    return {name: entry.dimension for name, entry in manifest.models.items() if entry.dimension is not None}


def punch(parts: Parts, store: Store, count: int) -> None:
    """So many punches, of everybody in turn. Raises StoreError when one is turned away."""
    clerk, ids = parts.clerk(store, store, parts.clock), [person.id for person in store.people.all()]
    for start in range(0, count, PORTION):
        with store.transaction():
            for number in range(start, min(start + PORTION, count)):
                found = clerk.attend(ids[number % len(ids)], 0.7, {"frames": 12, "live": True})
                if not isinstance(found, Punch):
                    raise StoreError(f"{store.path}: the bench's punch was turned away ({found.reason})")
