"""Makes the whole kit: every species in several variants, laid out for `blinkd evaluate pad`."""

import json
import shutil
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blinkd.errors import MediaError
from blinkd.measure.attacks.animated import photo_animated_turn, photo_warped_blink
from blinkd.measure.attacks.cutout import photo_cutout_eyes
from blinkd.measure.attacks.footage import Detail, Maker, Order
from blinkd.measure.attacks.injected import black_frames, frozen_frame, looped_frames, repeated_frames
from blinkd.measure.attacks.photos import photo_bent, photo_moved, photo_still, photo_tilted, photo_zoomed
from blinkd.measure.attacks.screens import replay_screen
from blinkd.measure.attacks.sources import Refused, Stock
from blinkd.measure.attacks.spoiled import replay_flicker, replay_glare, replay_lowres, replay_moire
from blinkd.measure.attacks.swaps import cut_and_swap
from blinkd.measure.attacks.writer import SUFFIX, write_clip

BONAFIDE, ATTACK, INDEX = "bonafide", "attack", "kit.json"
DEFAULT_PER_SPECIES, DEFAULT_SECONDS, DEFAULT_SEED = 4, 5.5, 1
MAKERS: dict[str, Maker] = {
    "photo_still": photo_still,
    "photo_moved": photo_moved,
    "photo_tilted": photo_tilted,
    "photo_zoomed": photo_zoomed,
    "photo_bent": photo_bent,
    "photo_cutout_eyes": photo_cutout_eyes,
    "photo_warped_blink": photo_warped_blink,
    "photo_animated_turn": photo_animated_turn,
    "replay_screen": replay_screen,
    "replay_moire": replay_moire,
    "replay_glare": replay_glare,
    "replay_flicker": replay_flicker,
    "replay_lowres": replay_lowres,
    "cut_and_swap": cut_and_swap,
    "frozen_frame": frozen_frame,
    "looped_frames": looped_frames,
    "black_frames": black_frames,
    "repeated_frames": repeated_frames,
}


@dataclass(frozen=True, slots=True)
class Made:
    """One attack clip: where, of which species and kind, from which sources, with which parameters, its frames and bytes."""

    path: Path
    species: str
    kind: str
    sources: tuple[str, ...]
    details: dict[str, Detail]
    fps: int
    frames: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Kit:
    """What was made: bona fide clips, attack clips, and what could not be made or used, each with its reason."""

    bonafide: tuple[Path, ...]
    attacks: tuple[Made, ...]
    refused: tuple[Refused, ...]


def species_named(names: Sequence[str]) -> list[str]:
    """The species of these names in the kit's order, all when none is named. Raises MediaError naming an unknown one."""
    unknown = [name for name in names if name not in MAKERS]
    if unknown:
        raise MediaError(f"no such species: {', '.join(unknown)}; there are {', '.join(MAKERS)}")
    return [name for name in MAKERS if not names or name in names]


def prepare(out: Path, force: bool, sources: Iterable[Path] = ()) -> None:
    """Make the kit's folder. Raises MediaError when it holds something, unless that is a kit and `force` is given: then its clips go.

    A folder without the list that every kit has is never emptied, nor one in which a source lies.
    """
    if out.exists() and not out.is_dir():
        raise MediaError(f"{out}: is a file; name a folder")
    try:
        if out.exists() and any(out.iterdir()):
            _may_be_replaced(out, force, sources)
            for part in (out / BONAFIDE, out / ATTACK):
                if part.is_dir():
                    shutil.rmtree(part)
        (out / BONAFIDE).mkdir(parents=True, exist_ok=True)
        (out / ATTACK).mkdir(exist_ok=True)
        # from the beginning on, so that an interrupted kit can be replaced too
        (out / INDEX).write_text('{"complete": false}\n', encoding="utf-8")
    except OSError as error:
        raise MediaError(f"{out}: cannot be made: {error.strerror}; check the folder's owner, mode and free space") from error


def _may_be_replaced(out: Path, force: bool, sources: Iterable[Path]) -> None:
    if not (out / INDEX).is_file():
        raise MediaError(f"{out}: is not empty and holds no kit; name another folder")
    if not force:
        raise MediaError(f"{out}: is not empty; name another folder, or replace the kit in it with --force")
    for source in sources:
        if source.resolve().is_relative_to(out.resolve()):
            raise MediaError(f"{source}: lies in {out}, which would be emptied; name another folder for the kit")


def write_kit(
    out: Path,
    stock: Stock,
    species: Sequence[str],
    per_species: int,
    seconds: float,
    seed: int,
    progress: Callable[[Iterable[tuple[str, int]]], Iterable[tuple[str, int]]] = iter,
) -> Kit:
    """Write bona fide clips, attack clips and the list of them into a prepared folder. The same stock, seed and length give the same
    frames, clip by clip, whatever else is made. A species that the stock cannot serve is listed in `refused`.
    """
    bonafide = tuple(_copied(clip.path, out / BONAFIDE) for clip in stock.clips)
    made: list[Made] = []
    refused = list(stock.refused)
    for name, variant in progress([(name, variant) for name in species for variant in range(per_species)]):
        chance = np.random.default_rng([seed, zlib.crc32(name.encode()), variant])
        folder = out / ATTACK / name
        try:
            footage = MAKERS[name](Order(stock, chance, variant, seconds))
            folder.mkdir(exist_ok=True)
            path = folder / f"{variant:02d}_{footage.kind}{SUFFIX}"
            count = write_clip(path, footage.frames, footage.fps)
        except MediaError as error:
            refused.append(Refused(folder, f"{name} {variant}: {error}"))
            continue
        sources = tuple(source.name for source in footage.sources)
        made.append(Made(path, name, footage.kind, sources, footage.details, footage.fps, count, path.stat().st_size))
    kit = Kit(bonafide, tuple(made), tuple(refused))
    try:
        (out / INDEX).write_text(json.dumps(described(kit, out, seed, seconds), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise MediaError(f"{out / INDEX}: cannot be written: {error.strerror}; free some space") from error
    return kit


def described(kit: Kit, out: Path, seed: int, seconds: float) -> dict[str, object]:
    """The kit as JSON: how each clip was made."""
    return {
        "complete": True,
        "seed": seed,
        "seconds": seconds,
        "bonafide": [str(path.relative_to(out)) for path in kit.bonafide],
        "attacks": [
            {
                "path": str(one.path.relative_to(out)),
                "species": one.species,
                "kind": one.kind,
                "sources": list(one.sources),
                "fps": one.fps,
                "frames": one.frames,
                "bytes": one.bytes,
                **one.details,
            }
            for one in kit.attacks
        ],
        "refused": [{"path": str(one.path), "reason": one.reason} for one in kit.refused],
    }


def _copied(source: Path, folder: Path) -> Path:
    """A copy under the source's name, or under a numbered one where two sources share it."""
    target = folder / source.name
    number = 2
    while target.exists():
        target = folder / f"{source.stem}_{number}{source.suffix}"
        number += 1
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise MediaError(f"{target}: cannot be written: {error.strerror}; check the folder's free space") from error
    return target
