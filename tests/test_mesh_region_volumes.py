"""Volumes of parts of mesh regions: slabs and shells, and what is counted there."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from mesh_regions import ball_region, box_region, disc_region
from scipy.integrate import quad
from scipy.spatial import ConvexHull

from fem_rd.particles.mesh_volumes import radii_of, share_below, shell_volumes, slab_volumes


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_the_share_of_a_simplex_below_a_plane(dim):
    """Against the hull of what is left of it; and with corners at equal heights."""
    rng = np.random.default_rng(dim)
    for _ in range(60):
        corners = rng.random((dim + 1, dim))
        level = rng.uniform(-0.1, 1.1)
        found = share_below(corners[None, :, 0], level)[0]
        pairs = [(a, b) for a in corners for b in corners if a[0] < level < b[0]]
        kept = [*corners[corners[:, 0] <= level]]
        kept += [a + (level - a[0]) / (b[0] - a[0]) * (b - a) for a, b in pairs]
        if dim == 1:
            part, whole = np.ptp(np.array(kept)) if kept else 0.0, np.ptp(corners)
        else:
            part = ConvexHull(np.array(kept)).volume if len(kept) > dim else 0.0
            whole = ConvexHull(corners).volume
        assert found == pytest.approx(part / whole, abs=1e-9)
    flat = np.array([[0.0] * dim + [1.0], [0.0] + [1.0] * dim])
    assert share_below(flat, 0.25) == pytest.approx([1 - 0.75**dim, 0.25**dim], abs=1e-14)
    assert np.array_equal(share_below(flat, 1.0), [1, 1])
    assert np.array_equal(share_below(flat, 0.0), [0, 0])
    assert np.array_equal(share_below(np.full((1, dim + 1), 0.5), 0.5), [1])


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_slabs_of_a_box_are_as_wide_as_they_are(dim):
    region = box_region([5] * dim, displaced=0.25)
    for axis in range(dim):
        edges = np.array([-1.0, 0.0, 0.1234, 0.2, 0.777, 1.0, 2.0])
        expected = np.diff(np.clip(edges, 0, 1))
        assert slab_volumes(region.mesh, axis, edges) == pytest.approx(expected, abs=1e-13)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_spheres_in_a_box(dim):
    """The parts of a ball of radius r <= 1 in a corner of the box; then to the far corner."""
    region = box_region([6] * dim, displaced=0.2)
    radii = np.array([0.0, 0.3, 0.55, 0.9, 1.0, np.sqrt(dim)])
    unit = {1: 2.0, 2: np.pi, 3: 4 * np.pi / 3}[dim] / 2**dim
    below = unit * radii**dim
    below[-1] = 1.0
    found = shell_volumes(region.mesh, radii)
    assert np.abs(found - np.diff(below)).max() < 2e-5
    assert found.sum() == pytest.approx(1, abs=1e-12)


def test_how_far_a_region_is_from_the_origin():
    assert radii_of(disc_region(40, 0.5).mesh) == pytest.approx((0.0, 1.0))
    for lower, nearest in (([1.0, -0.5], 1.0), ([1.0, 2.0], np.sqrt(5)), ([-0.3, -0.4], 0.0)):
        region = box_region([4, 4], lower=lower, upper=[2.0, 3.0], displaced=0.2)
        assert radii_of(region.mesh) == pytest.approx((nearest, np.sqrt(13)))
    for lower, nearest in (([1.0, -0.5, -0.6], 1.0), ([1.0, 2.0, -0.5], np.sqrt(5)),
                           ([1.0, 2.0, 1.0], np.sqrt(6))):  # fmt: skip
        region = box_region([3, 3, 3], lower=lower, upper=[2.0, 3.0, 4.0], displaced=0.2)
        assert radii_of(region.mesh) == pytest.approx((nearest, np.sqrt(29)))


def test_shells_have_the_density_of_a_uniform_sample():
    region, count = ball_region(400), 200_000
    edges = np.linspace(*radii_of(region.mesh), 8)
    volumes = shell_volumes(region.mesh, edges)
    radius = np.linalg.norm(region.sample(count, np.random.default_rng(1)), axis=0)
    found = np.histogram(radius, edges)[0]
    expected = count * volumes / region.volume
    assert found.sum() == count
    assert ((found - expected) ** 2 / expected).sum() < 7 + 3 * np.sqrt(14)
    planes = np.linspace(-1.1, 1.1, 6)
    slabs = slab_volumes(region.mesh, 2, planes)
    height = [quad(lambda z: np.pi * max(1 - z * z, 0), a, b)[0] for a, b in pairwise(planes)]
    assert np.abs(slabs - height).max() < 0.03
