"""How much the shape of the mesh changes between two frames, once shift, turn and size are taken out.

A head is nearly rigid: between two frames its landmarks move together. On a small, blurred or moving picture of a face the
landmarks move each on their own, and that is what a blink counter mistakes for blinks.
"""

import numpy as np

from blinkd.vision.face import Face

# Points on bone: brow ridge, nose bridge, cheekbones, temples, jaw. Eyes and mouth are left out, for they may move.
RIGID = (10, 67, 297, 54, 284, 21, 251, 127, 356, 234, 454, 6, 197, 195, 5, 4, 98, 327, 50, 280, 101, 330, 205, 425, 58, 288, 172, 397, 152)

SHAKE_LIMIT = 0.03  # of shake(): beyond it the landmarks jitter, and what they seem to do does not count


def shake(before: Face, after: Face) -> float:
    """Root mean square of what a similarity transform cannot explain, as a share of the face's size (Procrustes residual)."""
    a = before.landmarks[list(RIGID), :2].astype(np.float64)
    b = after.landmarks[list(RIGID), :2].astype(np.float64)
    za, zb = (points[:, 0] + 1j * points[:, 1] for points in (a - a.mean(axis=0), b - b.mean(axis=0)))
    # least squares over complex numbers: multiplying by one complex factor is turning and scaling
    factor = np.vdot(za, zb) / max(float(np.vdot(za, za).real), 1e-9)
    residual = zb - factor * za
    return float(np.sqrt(np.mean(np.abs(residual) ** 2))) / max(after.size, 1e-6)


def within(shape: tuple[int, ...], face: Face) -> bool:
    """Whether all the points on bone lie in a picture of that shape (height, width, ...): what lies outside is only guessed."""
    points = face.landmarks[list(RIGID), :2]
    return bool((points >= 0).all() and (points[:, 0] < shape[1]).all() and (points[:, 1] < shape[0]).all())
