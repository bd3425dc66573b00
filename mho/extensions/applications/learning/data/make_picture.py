"""Make the sample picture of this folder, three spheres on a chequered floor: ``python make_picture.py [FOLDER]``.

Every pixel is the mean of 4 x 4 rays from a camera at the origin: sky, floor with shadows, or a sphere with a highlight.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mho.array_types import Floats

SIZE, RAYS = 64, 4
FLOOR = -1.0  # height
LIGHT = np.array([-0.55, 0.75, -0.4]) / np.linalg.norm([-0.55, 0.75, -0.4])
SPHERES = (  # centre, radius, brightness
    ((-1.15, -0.15, 4.3), 0.85, 0.95),
    ((0.75, -0.35, 3.6), 0.65, 0.45),
    ((-0.15, -0.68, 2.75), 0.32, 0.75),
)


def spheres() -> NDArray[np.uint8]:
    """Return the picture, (64, 64) grey levels from 0 to 255."""
    count = SIZE * RAYS
    steps = (np.arange(count) + 0.5) / count * 2.0 - 1.0
    x, y = np.meshgrid(steps * 0.62, -steps * 0.62)
    rays = np.stack([x, y - 0.12, np.ones_like(x)], axis=-1)
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    grey = _traced(rays.reshape(-1, 3)).reshape(SIZE, RAYS, SIZE, RAYS).mean(axis=(1, 3))
    return np.asarray(np.rint(255.0 * np.clip(grey, 0.0, 1.0)), dtype=np.uint8)


def _traced(rays: Floats) -> Floats:
    """Return the brightness that rays (n, 3) from the origin see."""
    grey = 0.55 + 0.4 * np.clip(rays[:, 1] * 1.6 + 0.25, 0.0, 1.0)  # the sky
    nearest = np.full(len(rays), np.inf)
    with np.errstate(divide="ignore"):
        down = np.where(rays[:, 1] < 0.0, FLOOR / rays[:, 1], np.inf)
    floor = np.isfinite(down)
    places = rays[floor] * down[floor, None]
    dark = (np.floor(places[:, 0] * 1.1) + np.floor(places[:, 2] * 1.1)) % 2 == 0
    lit = np.where(_shadowed(places), 0.35, 1.0)
    haze = np.exp(-0.09 * places[:, 2])
    grey[floor] = haze * np.where(dark, 0.25, 0.7) * lit + (1.0 - haze) * 0.6
    nearest[floor] = down[floor]
    for centre, radius, brightness in SPHERES:
        distance = _distance(np.zeros_like(rays), rays, np.array(centre), radius)
        seen = distance < nearest
        places = rays[seen] * distance[seen, None]
        normals = (places - centre) / radius
        towards = np.clip(normals @ LIGHT, 0.0, None)
        half = LIGHT - rays[seen]
        half /= np.linalg.norm(half, axis=1, keepdims=True)
        shine = np.clip(np.einsum("ij,ij->i", normals, half), 0.0, None) ** 60
        lit = np.where(_shadowed(places + 1e-6 * normals), 0.0, 1.0)
        grey[seen] = brightness * (0.16 + 0.84 * towards * lit) + 0.6 * shine * lit
        nearest[seen] = distance[seen]
    return grey


def _distance(starts: Floats, rays: Floats, centre: Floats, radius: float) -> Floats:
    """Return how far along rays a sphere lies; infinity where they miss it."""
    offset = centre - starts
    along = np.einsum("ij,ij->i", rays, offset)
    square = radius**2 - np.einsum("ij,ij->i", offset, offset) + along**2
    distance = along - np.sqrt(np.clip(square, 0.0, None))
    return np.where((square > 0.0) & (distance > 1e-9), distance, np.inf)


def _shadowed(places: Floats) -> NDArray[np.bool_]:
    towards = np.broadcast_to(LIGHT, places.shape)
    distances = [_distance(places, towards, np.array(centre), radius) for centre, radius, _ in SPHERES]
    return np.asarray(np.isfinite(np.min(distances, axis=0)))


def main() -> None:
    """Write the picture."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    np.save(folder / "spheres.npy", spheres())


if __name__ == "__main__":
    main()
