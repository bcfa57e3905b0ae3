"""How much of a mesh region lies between parallel planes, or between spheres about the origin."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from fem_rd.particles.simplices import Simplices
from fem_rd.particles.state import Floats

_LEVELS = {1: 8, 2: 4, 3: 2}  # halvings of the edges of cells that a sphere cuts, by dimension
_TOGETHER = 10_000  # cells that are cut

# a simplex cut into 2^dim: corners, then the middles of the edges in the order of `combinations`
_PARTS: dict[int, list[list[int]]] = {
    1: [[0, 2], [2, 1]],
    2: [[0, 3, 4], [1, 3, 5], [2, 4, 5], [3, 4, 5]],
    3: [
        [0, 4, 5, 6], [1, 4, 7, 8], [2, 5, 7, 9], [3, 6, 8, 9],
        [4, 5, 6, 8], [4, 5, 7, 8], [5, 6, 8, 9], [5, 7, 8, 9],
    ],
}  # fmt: skip


def share_below(heights: Floats, level: float) -> Floats:
    """The part of each simplex where a linear function is below ``level``, exactly.

    ``heights`` (n, dim + 1): its values at the corners. Three dimensions: Bloechl, Jepsen and
    Andersen, Phys. Rev. B 49 (1994) 16223, appendix B.
    """
    h = np.sort(heights, axis=1)
    found = (h[:, -1] <= level).astype(np.float64)
    cut = np.flatnonzero((h[:, 0] < level) & (h[:, -1] > level))
    found[cut] = _share(h[cut], level)
    return found


def slab_volumes(mesh: Simplices, axis: int, edges: Floats) -> Floats:
    """The volumes between planes at the places ``edges`` of an axis, (edges - 1,): exact."""
    heights = mesh.points[mesh.cells][:, :, axis]
    below = [float(share_below(heights, edge) @ mesh.volumes) for edge in edges]
    return np.diff(below)


def shell_volumes(mesh: Simplices, radii: Floats) -> Floats:
    """The volumes between spheres about the origin, (radii - 1,).

    Of cells that a sphere cuts, edges are halved (twice in three dimensions), and r^2 is taken as
    linear in the parts, with the right mean. Errors seen: up to 5e-4 (h/r)^2 of the volume of the
    cells of edge h that the spheres cut.
    """
    corners = mesh.points[mesh.cells]
    inner, outer = _nearest(corners), np.linalg.norm(corners, axis=2).max(axis=1)
    below = []
    for radius in radii:
        cut = (inner < radius) & (outer > radius)
        whole = float(mesh.volumes[outer <= radius].sum())
        below.append(whole + _in_ball(corners[cut], mesh.volumes[cut], radius))
    return np.diff(below)


def radii_of(mesh: Simplices) -> tuple[float, float]:
    """The least and the largest distance of the region from the origin."""
    corners = mesh.points[mesh.cells]
    return float(_distances(mesh).min()), float(np.linalg.norm(corners, axis=2).max())


def _in_ball(corners: Floats, volumes: Floats, radius: float) -> float:
    """The volume of simplices (n, dim + 1, dim) within the radius."""
    total, levels = 0.0, _LEVELS[corners.shape[2]]
    for start in range(0, len(corners), _TOGETHER):
        some = slice(start, start + _TOGETHER)
        shares = share_below(_squares(_halved(corners[some], levels)), radius**2)
        total += float(shares.reshape(len(volumes[some]), -1).mean(axis=1) @ volumes[some])
    return total


def _share(h: Floats, level: float) -> Floats:
    """`share_below` where the corners are sorted and ``level`` is between first and last."""
    if h.shape[1] == 2:
        return np.asarray((level - h[:, 0]) / (h[:, 1] - h[:, 0]))
    up, down = level - h, h - level
    with np.errstate(divide="ignore", invalid="ignore"):
        low = np.prod([up[:, 0] / (other - h[:, 0]) for other in h[:, 1:].T], axis=0)
        high = 1 - np.prod([down[:, -1] / (h[:, -1] - other) for other in h[:, :-1].T], axis=0)
        if h.shape[1] == 3:
            return np.where(level <= h[:, 1], low, high)
        a, b, c, d = h.T
        t, s = level - b, b - a
        cubic = (c - a + d - b) / ((c - b) * (d - b)) * t**3
        middle = (s**2 + 3 * s * t + 3 * t**2 - cubic) / ((c - a) * (d - a))
    return np.where(level <= b, low, np.where(level < c, middle, high))


def _halved(corners: Floats, times: int) -> Floats:
    """All parts of simplices (n, dim + 1, dim), those of one after the other."""
    dim = corners.shape[2]
    first, second = np.array(list(combinations(range(dim + 1), 2))).T
    for _ in range(times):
        middles = (corners[:, first] + corners[:, second]) / 2
        nodes = np.concatenate([corners, middles], axis=1)
        corners = nodes[:, np.array(_PARTS[dim])].reshape(-1, dim + 1, dim)
    return corners


def _squares(corners: Floats) -> Floats:
    """Linear functions that stand for r^2, by their values at the corners: of the right mean.

    That through the corners is above r^2 by sum l_i l_j |x_i - x_j|^2 (barycentric l, i < j).
    """
    dim = corners.shape[2]
    first, second = np.array(list(combinations(range(dim + 1), 2))).T
    edges = ((corners[:, first] - corners[:, second]) ** 2).sum(axis=(1, 2))
    return np.asarray((corners**2).sum(axis=2) - (edges / ((dim + 1) * (dim + 2)))[:, None])


def _nearest(corners: Floats) -> Floats:
    """A lower bound of the distance of simplices from the origin, (n,)."""
    middles = corners.mean(axis=1)
    size = np.linalg.norm(corners - middles[:, None], axis=2).max(axis=1)
    return np.asarray(np.maximum(np.linalg.norm(middles, axis=1) - size, 0.0))


def _distances(mesh: Simplices) -> Floats:
    """Of the facets of the boundary from the origin; 0 if that is in a cell."""
    heights = -mesh.planes[:, :, -1]
    if np.any(heights.min(axis=1) >= 0):
        return np.zeros(1)
    corners = mesh.points[mesh.facets]
    found = [np.linalg.norm(corners, axis=2).min(axis=1)]
    for first, second in combinations(range(mesh.dimension), 2):
        a, edge = corners[:, first], corners[:, second] - corners[:, first]
        t = np.clip(-np.einsum("fa,fa->f", a, edge) / np.einsum("fa,fa->f", edge, edge), 0, 1)
        found.append(np.linalg.norm(a + t[:, None] * edge, axis=1))
    if mesh.dimension == 3:
        found.append(_below_triangles(corners))
    return np.min(found, axis=0)


def _below_triangles(corners: Floats) -> Floats:
    """The distance of the origin from the planes of triangles where it is above one, or inf."""
    edges = corners[:, 1:] - corners[:, :1]
    gram = np.einsum("fia,fja->fij", edges, edges)
    right = -np.einsum("fia,fa->fi", edges, corners[:, 0])
    weights = np.linalg.solve(gram, right[:, :, None])[:, :, 0]
    above = (weights.min(axis=1) >= 0) & (weights.sum(axis=1) <= 1)
    feet = corners[:, 0] + np.einsum("fi,fia->fa", weights, edges)
    return np.where(above, np.linalg.norm(feet, axis=1), np.inf)
