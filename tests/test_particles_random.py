"""Random numbers of particles: known answers, their law, and what they do not depend on."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special, stats

from fem_rd.particles.build import kernels, pointer
from fem_rd.particles.random import Purpose, Streams

N = 1_000_000
# Random123, kat_vectors: philox4x32 of counter and key with 7 and with 10 rounds
ZEROS, ONES = [0] * 6, [0xFFFFFFFF] * 6
DIGITS = [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344, 0xA4093822, 0x299F31D0]
KNOWN = [
    (7, ZEROS, [0x5F6FB709, 0x0D893F64, 0x4F121F81, 0x4F730A48]),
    (7, ONES, [0x5207DDC2, 0x45165E59, 0x4D8EE751, 0x8C52F662]),
    (7, DIGITS, [0x4DFCCABA, 0x190A87F0, 0xC47362BA, 0xB6B5242A]),
    (10, ZEROS, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    (10, ONES, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (10, DIGITS, [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]),
]


@pytest.fixture(scope="module")
def normals() -> np.ndarray:
    ids = np.arange(N, dtype=np.uint64)
    return Streams(5).normals(4, ids, 3, Purpose.MOVE).astype(float)


@pytest.mark.parametrize("rounds, given, expected", KNOWN)
def test_philox_gives_the_known_answers(rounds: int, given: list[int], expected: list[int]) -> None:
    words = np.array(given[:4], dtype=np.uint32)
    kernels()[1].fem_rd_philox_words(1, pointer("uint32_t *", words), given[4], given[5], rounds)
    assert words.tolist() == expected


def test_normals_have_the_moments_of_normals(normals: np.ndarray) -> None:
    # E x^p and Var x^p = E x^2p - (E x^p)^2 for p = 1..4
    for power, mean, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        z = (np.mean(normals**power, axis=1) - mean) / math.sqrt(variance / N)
        assert np.abs(z).max() < 3.5, power


def test_normals_have_the_distribution_of_normals(normals: np.ndarray) -> None:
    for row in normals:
        assert stats.kstest(row, "norm").pvalue > 1e-3
    counts = np.zeros(1000)
    for step in range(8):
        z = Streams(5).normals(4, np.arange(N, dtype=np.uint64), step, Purpose.MOVE)
        counts += np.histogram(special.ndtr(z.astype(float)), 1000, (0, 1))[0]
    assert stats.chisquare(counts).pvalue > 1e-3


def test_pairs_of_words_become_the_normals_of_box_and_muller() -> None:
    """Radius sqrt(-2 ln((w + 1/2)/2^32)), up to 6.76 at w = 0, and angle 2 pi w/2^32 + pi/4."""
    words = np.random.default_rng(1).integers(0, 2**32, (100_000, 2), dtype=np.uint32)
    words[:6, 0] = 0, 1, 100, 2**31, 2**32 - 2**9, 2**32 - 1
    words[6:14, 1] = [k * 2**29 for k in range(8)]
    normals, uniforms = np.empty((100_000, 2), dtype=np.float32), np.empty(100_000)
    kernels()[1].fem_rd_from_words(
        100_000, pointer("uint32_t *", words), pointer("float *", normals),
        pointer("double *", uniforms),
    )  # fmt: skip
    high, low = words.astype(float).T
    radius = np.sqrt(-2 * np.log((high + 0.5) / 2**32))
    quarter = np.floor(low / 2**30)
    angle = (quarter + np.where(low % 2**30 < 2**29, low % 2**30, low % 2**30 - 2**30) / 2**30) / 4
    exact = radius * np.array([np.cos(2 * math.pi * angle), np.sin(2 * math.pi * angle)])
    # u is a float: near 1 its steps of 2^-24 are steps of 2^-24/radius in the radius
    allowed = 4e-7 * radius + 2.0**-24 / np.maximum(radius, 2.0**-12)
    assert np.all(np.abs(normals.T - exact) < allowed)
    assert np.hypot(*normals[0]) == pytest.approx(math.sqrt(66 * math.log(2)), rel=3e-7)
    assert np.allclose(uniforms, (high * 2**32 + low) / 2**64, rtol=0, atol=2.0**-52)
    words[:] = [[0, 0]] * 50_000 + [[2**32 - 1, 2**32 - 1]] * 50_000
    kernels()[1].fem_rd_from_words(
        100_000, pointer("uint32_t *", words), pointer("float *", normals),
        pointer("double *", uniforms),
    )  # fmt: skip
    assert uniforms[0] == 2.0**-53
    assert uniforms[-1] == 1 - 2.0**-53
    assert np.isfinite(normals).all()


def test_tails_are_those_of_normals() -> None:
    """64e6 numbers: as many beyond 3, 4, 5 as there should be, and each sign its half."""
    counts = np.zeros((3, 2))
    n = 0
    for step in range(16):
        z = Streams(8).normals(4, np.arange(N, dtype=np.uint64), step, Purpose.MOVE)
        n += z.size
        counts += [[np.sum(z > limit), np.sum(z < -limit)] for limit in (3, 4, 5)]
    for limit, found in zip((3, 4, 5), counts, strict=True):
        expected = n * stats.norm.sf(limit)
        assert np.all(np.abs(found - expected) < 3.5 * math.sqrt(expected)), limit


def test_numbers_for_different_ends_are_independent(normals: np.ndarray) -> None:
    ids = np.arange(N, dtype=np.uint64)
    this = Streams(5)
    others = {
        "next step": this.normals(4, ids, 4, Purpose.MOVE),
        "purpose": this.normals(4, ids, 3, Purpose.VELOCITY),
        "replica": Streams(5, 1).normals(4, ids, 3, Purpose.MOVE),
        "seed": Streams(6).normals(4, ids, 3, Purpose.MOVE),
        "next particle": np.roll(normals, 1, axis=1),
        "next axis": np.roll(normals, 1, axis=0),
        "far particle": this.normals(4, ids + np.uint64(2**32), 3, Purpose.MOVE),
        "far step": this.normals(4, ids, 3 + 2**32, Purpose.MOVE),
    }
    for name, other in others.items():
        for power, variance in ((1, 1.0), (2, 2.0)):
            a, b = normals**power, other.astype(float) ** power
            a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
            z = np.mean(a * b, axis=1) / (variance / math.sqrt(N))
            assert np.abs(z).max() < 4, (name, power)


def test_a_number_belongs_to_its_particle_whatever_the_order() -> None:
    generator = np.random.default_rng(1)
    ids = generator.integers(0, 2**64, 1000, dtype=np.uint64)
    streams = Streams(9)
    whole = streams.normals(3, ids, 7, Purpose.MOVE)
    order = generator.permutation(ids.size)
    assert np.array_equal(streams.normals(3, ids[order], 7, Purpose.MOVE), whole[:, order])
    for stop in (1, 7, 255, 256, 257):
        assert np.array_equal(streams.normals(3, ids[:stop], 7, Purpose.MOVE), whole[:, :stop])
    # fewer dimensions draw the first of the same numbers
    assert np.array_equal(streams.normals(1, ids, 7, Purpose.MOVE)[0], whole[0])


def test_uniforms_are_uniform_and_never_0_or_1() -> None:
    u = Streams(2).uniforms(np.arange(N, dtype=np.uint64), 0, Purpose.WALL)
    assert 0 < u.min() < 1e-5
    assert 1 - 1e-5 < u.max() < 1
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    other = Streams(2).uniforms(np.arange(N, dtype=np.uint64), 0, Purpose.WALL, draw=1)
    assert abs(np.mean((u - 0.5) * (other - 0.5))) < 4 / 12 / math.sqrt(N)


def test_generators_differ_in_every_argument_and_repeat() -> None:
    ways = [
        Streams(1).generator(0, Purpose.START),
        Streams(2).generator(0, Purpose.START),
        Streams(1, 1).generator(0, Purpose.START),
        Streams(1).generator(1, Purpose.START),
        Streams(1).generator(0, Purpose.THIN),
        Streams(1).generator(0, Purpose.START, 1),
    ]
    first = [generator.random(4).tolist() for generator in ways]
    assert len({tuple(row) for row in first}) == len(ways)
    assert Streams(1).generator(0, Purpose.START).random(4).tolist() == first[0]
