"""Populations and systems: growth, removal, identities, and going on from a checkpoint."""

from __future__ import annotations

import numpy as np
import pytest

from fem_rd.particles import build
from fem_rd.particles.build import CompilerError, kernels
from fem_rd.particles.random import Streams
from fem_rd.particles.state import Population, System


def filled(count: int, capacity: int = 4) -> Population:
    population = Population(3, velocities=True, cells=True, capacity=capacity)
    numbers = np.arange(3.0 * count).reshape(3, count)
    population.append(numbers, np.arange(count) + 100, -numbers, np.arange(count) + 7)
    return population


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99, 1.0])
def test_removal_takes_out_those_and_keeps_the_order(share: float) -> None:
    population = filled(1000)
    gone = np.random.default_rng(3).random(1000) < share
    x, v = population.x[:, ~gone], population.v[:, ~gone]
    ids, cells = population.id[~gone], population.cell[~gone]
    population.remove(gone)
    assert population.count == ids.size
    assert np.array_equal(population.x, x)
    assert np.array_equal(population.v, v)
    assert np.array_equal(population.id, ids)
    assert np.array_equal(population.cell, cells)


def test_places_and_masks_remove_the_same() -> None:
    by_place, by_mask = filled(10), filled(10)
    by_place.remove(np.array([0, 3, 4, 9]))
    by_mask.remove(np.isin(np.arange(10), [0, 3, 4, 9]))
    assert by_place.id.tolist() == by_mask.id.tolist() == [101, 102, 105, 106, 107, 108]


def test_growth_keeps_what_was_there() -> None:
    population = filled(3)
    for k in range(200):
        population.append(np.full((3, 1), float(k)), [k])
    assert population.count == 203
    assert population.x[0, :3].tolist() == [0, 1, 2]
    assert population.x[2, 3:].tolist() == list(range(200))
    assert population.v[:, 3:].tolist() == np.zeros((3, 200)).tolist()
    assert population.positions[0].flags.c_contiguous


def test_memory_is_that_of_the_arrays() -> None:
    assert Population(3).bytes_per_place == 32
    assert Population(2, velocities=True, cells=True).bytes_per_place == 44


def test_populations_without_velocities_or_cells_say_so() -> None:
    population = Population(2)
    with pytest.raises(TypeError, match="no velocities"):
        _ = population.v
    with pytest.raises(TypeError, match="no mesh"):
        _ = population.cell


def test_an_identity_is_given_once_over_all_species() -> None:
    system = System(1, ["A", "B"], Streams(1))
    given = [*system.add("A", [[0.1, 0.2]]), *system.add("B", [[0.3]])]
    system["A"].remove(np.array([0]))
    given += [*system.add("A", [[0.4, 0.5]])]
    assert given == [0, 1, 2, 3, 4]
    assert system.counts == {"A": 3, "B": 1}


def test_a_restored_system_is_the_same() -> None:
    system = System(2, ["A", "B"], Streams(1), velocities=True)
    system.add("A", np.ones((2, 5)), velocities=np.full((2, 5), 2.0))
    system.add("B", np.zeros((2, 0)))
    system.step, system.time = 12, 0.25
    kept = system.state()
    again = System(2, ["A", "B"], Streams(1), velocities=True)
    again.add("B", np.zeros((2, 3)))
    again.restore(kept)
    assert again.step == 12
    assert again.time == 0.25
    assert again.new_ids(1) == [5]
    assert again.counts == {"A": 5, "B": 0}
    for name, array in system.state().items():
        if name != "next_id":
            assert np.array_equal(array, again.state()[name]), name
    kept["A.positions"][:] = -1  # copies, not views
    assert again["A"].x.max() == 1


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(CompilerError, match="no-such-compiler"):
        build._compiler()


def test_kernels_are_compiled_once_and_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("FEM_RD_CACHE", str(tmp_path))
    monkeypatch.setattr(build, "FLAGS", ("-std=gnu11", "-fPIC"))
    monkeypatch.setattr(build, "NATIVE", "-O0")
    compiler, directory = build._compiler(), build._directory()
    first = build._library(compiler, directory)
    stamp = first.stat().st_mtime_ns
    assert build._library(compiler, directory) == first
    assert first.stat().st_mtime_ns == stamp
    assert [path.name for path in directory.iterdir()] == [first.name]
    monkeypatch.setattr(build, "NATIVE", "-O1")
    assert build._library(compiler, directory) != first


def test_the_kernels_of_a_process_are_one_library() -> None:
    assert kernels() is kernels()
