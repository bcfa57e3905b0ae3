"""What reactions alone decide: textbook networks, and the definitions on random ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fem_rd.chemistry.equations import mass_action, network_of
from fem_rd.chemistry.network import Reaction
from fem_rd.chemistry.program import rates_program, sources_program
from fem_rd.chemistry.structure import (
    complexes_of,
    conservation_laws,
    integer_kernel,
    isolated_species,
    rank,
    structure_of,
)
from fem_rd.expressions.expression import Expression

quick = settings(deadline=None, max_examples=200, database=None, derandomize=True)


def network(*equations, chemostats=(), species=None):
    named = {
        f"r{i}": (text, 1.0, 1.0 if "<->" in text else None) for i, text in enumerate(equations)
    }
    return mass_action(named, species=species, chemostats=dict.fromkeys(chemostats, 1.0))


TRIANGLE = network("A <-> B", "B <-> C", "C <-> A")
HORN_JACKSON = network("A + C <-> D", "2 A <-> B", "D <-> B + E", "B + E -> A + C")
ENZYME = network("E + S <-> ES", "ES <-> E + P")
EDELSTEIN = network("A <-> 2 A", "A + B <-> C", "C <-> B")
SCHLOEGL = network("2 X + F <-> 3 X", "G <-> X", chemostats=("F", "G"))
LOTKA = network("A -> 2 A", "A + B -> 2 B", "B -> 0")
BRUSSELATOR = network("0 <-> X", "X -> Y", "2 X + Y -> 3 X")
ONE_WAY_CYCLE = network("A -> B", "B -> C", "C -> A")
HORN_SQUARE = network("3 A -> A + 2 B", "A + 2 B -> 3 B", "3 B -> 2 A + B", "2 A + B -> 3 A")


@pytest.mark.parametrize(
    ("reactions", "complexes", "classes", "rank", "deficiency", "weakly", "reversible"),
    [
        (TRIANGLE, 3, 1, 2, 0, True, True),
        (HORN_JACKSON, 5, 2, 3, 0, True, False),
        (ENZYME, 3, 1, 2, 0, True, True),
        (EDELSTEIN, 5, 2, 2, 1, True, True),
        (SCHLOEGL, 4, 2, 1, 1, True, True),
        (LOTKA, 6, 3, 2, 1, False, False),
        (BRUSSELATOR, 5, 2, 2, 1, False, False),
        (ONE_WAY_CYCLE, 3, 1, 2, 0, True, False),
        (HORN_SQUARE, 4, 1, 1, 2, True, False),
    ],
)
def test_textbook_networks(reactions, complexes, classes, rank, deficiency, weakly, reversible):
    found = structure_of(reactions)
    assert found.complexes.shape == (len(reactions.species), complexes)
    assert found.linkage_classes == classes
    assert (found.rank, found.deficiency) == (rank, deficiency)
    assert (found.weakly_reversible, found.reversible) == (weakly, reversible)


@pytest.mark.parametrize(
    ("reactions", "laws"),
    [
        (ENZYME, ["E + ES", "S + ES + P"]),
        (TRIANGLE, ["A + B + C"]),
        (EDELSTEIN, ["B + C"]),
        (SCHLOEGL, []),
        (BRUSSELATOR, []),
        (network("A + 2 B -> C"), ["A + C", "B + 2 C"]),
        (network("2 H2 + O2 -> 2 H2O"), ["H2 + H2O", "2 O2 + H2O"]),
        (network("A + F -> B + W", chemostats="FW"), ["A + B"]),
        (network("A -> B", species=("Z", "B", "A")), ["Z", "B + A"]),
        (network("A -> A + B + C"), ["A", "B - C"]),  # no non-negative one besides A
    ],
)
def test_conservation_laws_are_small_and_not_negative(reactions, laws):
    found = [
        " + ".join(
            name if n == 1 else f"{n} {name}"
            for name, n in zip(reactions.species, law, strict=True)
            if n
        ).replace("+ -1", "-")
        for law in conservation_laws(reactions)
    ]
    assert found == laws


def test_chemostats_are_absorbed_in_the_constants():
    open_cycle = network("A + F -> B", "B -> A + W", chemostats="FW")
    found = structure_of(open_cycle)
    assert found.complexes.shape == (2, 2)
    assert found.reversible
    assert not structure_of(network("A + F -> B", "B -> A + W")).weakly_reversible


def test_isolated_species_neither_react_nor_matter():
    law = Expression.parse("A*C", names=("A", "C"), where=None)
    reaction = Reaction("r", (("A", 1),), (), law=law)
    assert isolated_species(network_of([reaction], species=("A", "B", "C"))) == ("B",)
    catalyst = network("A + C -> B + C", species=("A", "B", "C", "D"))
    assert isolated_species(catalyst) == ("D",)


def test_a_network_without_reactions_conserves_everything():
    found = network_of([], species=("A", "B"))
    assert conservation_laws(found).tolist() == [[1, 0], [0, 1]]
    assert structure_of(found).deficiency == 0


def test_large_networks_of_oligomers_conserve_their_monomers():
    size = 14
    pairs = [(i, j) for i in range(1, size) for j in range(i, size) if i + j <= size]
    chain = network(
        *(f"A{i} + A{j} <-> A{i + j}" for i, j in pairs),
        species=[f"A{i}" for i in range(1, size + 1)],
    )
    assert conservation_laws(chain).tolist() == [list(range(1, size + 1))]


@pytest.mark.parametrize("seed", range(4))
def test_laws_of_many_exchanges_are_not_negative(seed):
    """Every reaction keeps the number of molecules, so that laws with no negative entry suffice."""
    choices = np.random.default_rng(seed)
    four = [choices.choice(10, 4, replace=False) for _ in range(6)]
    exchanges = network(*(f"A{a} + A{b} <-> A{c} + A{d}" for a, b, c, d in four))
    laws = conservation_laws(exchanges)
    assert np.all(laws >= 0)
    assert len(laws) == len(exchanges.species) - rank(exchanges.stoichiometry)
    assert not np.any(laws @ exchanges.stoichiometry)


# Random networks of few species: the definitions hold.

sides = st.dictionaries(st.sampled_from("ABCDE"), st.integers(1, 3), max_size=2)


def random_network(pairs):
    reactions = [
        Reaction(f"r{i}", tuple(taken.items()), tuple(made.items()), Expression.constant(1))
        for i, (taken, made) in enumerate(pairs)
        if taken != made
    ]
    return network_of(reactions, species=tuple("ABCDE"))


def float_rank(matrix):
    return np.linalg.matrix_rank(matrix) if matrix.size else 0


networks = st.lists(st.tuples(sides, sides), max_size=7).map(random_network)


@quick
@given(networks)
def test_laws_span_what_no_reaction_changes(reactions):
    laws, stoichiometry = conservation_laws(reactions), reactions.stoichiometry
    assert not np.any(laws @ stoichiometry)
    assert len(laws) == 5 - float_rank(stoichiometry)
    assert rank(laws) == len(laws)
    assert all(np.gcd.reduce(law) == 1 for law in laws)


@quick
@given(networks, st.lists(st.floats(0.1, 2), min_size=5, max_size=5))
def test_sources_keep_every_law(reactions, concentrations):
    sources = sources_program(reactions).at(*concentrations)
    laws = conservation_laws(reactions)
    gross = np.abs(reactions.stoichiometry) @ rates_program(reactions).at(*concentrations)
    assert np.all(np.abs(laws @ sources) <= 1e-14 * (np.abs(laws) @ gross))


@quick
@given(networks)
def test_deficiency_is_not_negative_and_adds_up(reactions):
    found = structure_of(reactions)
    complexes, (taken, made) = complexes_of(reactions)
    assert np.array_equal(complexes[:, made] - complexes[:, taken], reactions.stoichiometry)
    assert len({tuple(each) for each in complexes.T}) == complexes.shape[1]
    assert np.array_equal(found.linkage[taken], found.linkage[made])
    # deficiency is the dimension of what the incidence of complexes has and the network has not
    incidence = np.zeros((complexes.shape[1], len(taken)))
    np.add.at(incidence, (made, np.arange(len(made))), 1)
    np.add.at(incidence, (taken, np.arange(len(taken))), -1)
    assert found.deficiency == float_rank(incidence) - float_rank(complexes @ incidence)
    assert found.deficiency >= 0


@quick
@given(st.lists(st.lists(st.integers(-4, 4), min_size=6, max_size=6), min_size=1, max_size=5))
def test_kernels_are_exact_and_complete(rows):
    matrix = np.array(rows)
    kernel = integer_kernel(matrix)
    assert not np.any(matrix @ kernel.T)
    assert len(kernel) == 6 - float_rank(matrix) == float_rank(kernel)
