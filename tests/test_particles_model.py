"""The particles model: rows and observables against closed forms."""

from __future__ import annotations

import math

import h5py
import numpy as np
import pytest
from cases import build, run, values_of, write_case
from particle_runs import (
    BOX,
    REACTING,
    SLAB,
    score,
    table,
    to_end,
    with_scheme,
)

from fem_rd.errors import CaseError
from fem_rd.exact.open_boundary import effective_plane, slab_flux
from fem_rd.exact.open_end_of_step import strang_plateau
from fem_rd.exact.open_numbers import OpenSlab


def test_a_mode_of_a_closed_box_decays(tmp_path):
    model = build(tmp_path, BOX, "particles.species.A.number=20000")
    assert values_of(model)["mode"] == pytest.approx(math.cos(math.pi / 4), rel=1e-12)
    to_end(model, 0.1)
    exact = math.cos(math.pi / 4) * math.exp(-math.pi**2 * 0.1)
    assert abs(score(model, "mode", exact)) < 3
    assert values_of(model)["ledger_residual"] == 0


def test_times_of_exit_are_those_of_the_interval(tmp_path):
    """T = x0 (2 L - x0)/(2 D) with one end absorbing; E T^2 = (8 x0 - 4 x0^3 + x0^4)/12."""
    text = BOX.replace('"box"\nupper = [1, 1, 1]', '"interval"\nupper = 1.0')
    text = text.replace("[0.25, 0.5, 0.5]", "[0.5]").replace("end = 0.1", "end = 6.0")
    text += '[particles.walls.left]\ntype = "absorbing"\n'
    model = build(tmp_path, text, "particles.measure.bins=0")
    found = to_end(model, 6.0)
    assert found["count_A"] == 0 and found["left_A_left"] == 2000
    assert abs(score(model, "exit_time_A_left", 0.375)) < 3
    error = next(o for o in model.observables() if o.name == "exit_time_A_left").error
    spread = math.sqrt((8 * 0.5 - 4 * 0.5**3 + 0.5**4) / 12 - 0.375**2)
    assert error == pytest.approx(spread / math.sqrt(6000), rel=0.05)


def test_the_distribution_in_a_potential_is_that_of_boltzmann(tmp_path):
    """U = k x^2/2 between far walls: <x^2> = 1/k, for both dynamics."""
    text = BOX.replace("[1, 1, 1]", "[4, 4]\nlower = [-4, -4]")
    text = text.replace("[0.25, 0.5, 0.5]", "[0, 0]")
    text = text.replace("number", 'potential = "2*(x^2 + y^2)"\nnumber')
    text = text.replace("cos(pi*x)", "x^2").replace("end = 0.1", "end = 1.5")
    for dynamics, extra, exact in (
        ("brownian", (), 1 / (4 * (1 - 4 * 0.01 / 2))),  # Euler and Maruyama: 1/(k (1 - k D dt/2))
        ("langevin", ("particles.species.A.friction=20.0",), 1 / 4),
    ):
        model = build(tmp_path, text, f"particles.dynamics={dynamics}", *extra)
        to_end(model, 1.5)
        assert abs(score(model, "mode", exact)) < 3.5


def test_a_partially_absorbing_wall_takes_what_kappa_says(tmp_path):
    """A closed interval with D/kappa = L: the slowest mode has tan(k L) = kappa/(k D)."""
    text = BOX.replace('"box"\nupper = [1, 1, 1]', '"interval"\nupper = 1.0')
    text = text.replace("place = [0.25, 0.5, 0.5]", 'concentration = "cos(0.8603335890*(1 - x))"')
    text = text.replace("end = 0.1", "end = 0.5")
    walls = '[particles.walls.left]\ntype = "partially-absorbing"\n'
    counts = []
    for rate in ("reactivity = 1.0", "kappa = 1.0"):
        model = build(tmp_path, text + walls + rate)
        found = to_end(model, 0.5)
        left = 1 - math.exp(-(0.8603335890**2) * 0.5)
        noise = math.sqrt(2000 * left * (1 - left) / 3)
        assert abs(found["left_A_left"] - 2000 * left) < 3 * noise
        counts.append(found["left_A_left"])
    assert counts[0] == counts[1]  # of an area of 1


# ---- reservoirs


@pytest.mark.parametrize("scheme", ["crossing", "layer", "layer-matched"])
def test_a_flux_between_two_reservoirs(tmp_path, scheme):
    """The layer of the paper misses by 11 %, the others do not: each within its error."""
    model = build(tmp_path, with_scheme(SLAB, scheme))
    found = to_end(model, 4.5)
    plane = 0.2 * effective_plane(1.0) if scheme == "layer" else 0.0
    exact = slab_flux(1.0, 1.0, 200.0, 0.0, (plane, plane))
    assert abs(score(model, "flux", exact)) < 3
    error = next(o for o in model.observables() if o.name == "flux").error
    poisson = math.sqrt(exact * 4 * 3 * 4.0) / (4 * 3 * 4.0)  # who leaves into nothing is Poisson
    assert error == pytest.approx(poisson, rel=0.5)
    assert found["rate"] == pytest.approx(4 * found["flux"], rel=1e-14)
    assert found["flux_A_left"] == pytest.approx(-found["flux"], rel=0.05)
    assert found["ledger_residual"] == 0


def test_the_scheme_of_half_steps_is_wrong_as_it_says(tmp_path):
    text = with_scheme(SLAB, "layer-strang").replace("[1, 4]", "[1, 20]")
    text = text.replace('"200*(1 - x)"', "225.0")
    text = text.replace("concentration = 0.0", "concentration = 200.0")
    model = build(tmp_path, text, "time.end=2.5")
    to_end(model, 2.5)
    profile = model.tables()["profiles"].columns  # its layers have a profile of their own
    wanted = 200 * strang_plateau()
    assert abs(profile["A"][2] - wanted) < 3.5 * profile["A_error"][2] < 0.05 * wanted


@pytest.mark.parametrize("scheme", ["crossing", "layer", "layer-matched"])
def test_numbers_of_an_open_box_are_those_of_poisson(tmp_path, scheme):
    text = with_scheme(SLAB, scheme).replace('"200*(1 - x)"', "100.0")
    text = text.replace("200.0", "100.0").replace("concentration = 0.0", "concentration = 100.0")
    text = text.replace("[1, 4]", "[1, 1]").replace("lags = [0.01]", "lags = [0.05]")
    model = build(tmp_path, text.replace("step = 0.002", "step = 0.0025"), "time.end=20.5")
    to_end(model, 20.5)
    assert abs(score(model, "mean_A", 100.0)) < 3
    assert abs(score(model, "variance_A", 100.0)) < 3
    if scheme == "crossing":  # in a layer, particles stay longer
        assert abs(score(model, "covariance_A_1", 100 * OpenSlab(1, 1, 1).remaining(0.05))) < 3


@pytest.mark.parametrize(
    ("more", "mean"),
    [
        (('dynamics = "langevin"', "friction = 40.0"), 100.0),
        (("", 'potential = "x"'), 100 * (1 - math.exp(-1))),  # Boltzmann's, from U = 0 at the wall
    ],
    ids=["langevin", "potential"],
)
def test_a_layer_knows_velocities_and_potentials(tmp_path, more, mean):
    text = f"""
    model = "particles"
    [particles]
    seed = 5
    replicas = 4
    {more[0]}
    [particles.domain]
    type = "interval"
    upper = 1.0
    [particles.species.A]
    diffusion = 1.0
    concentration = {mean}
    {more[1]}
    [particles.walls.left]
    type = "open"
    concentration = 100.0
    scheme = "layer-matched"
    width = 0.2
    [particles.measure]
    begin = 0.5
    [time]
    end = 8.0
    step = 0.004
    """
    model = build(tmp_path, text)
    to_end(model, 8.0)
    assert abs(score(model, "mean_A", mean)) < 3
    assert next(o for o in model.observables() if o.name == "mean_A").error < 4
    with pytest.raises(CaseError, match=r"walls\.left: crossing needs Brownian"):
        build(tmp_path, text, "particles.walls.left.scheme=crossing")


def test_the_profile_between_two_reservoirs_is_straight(tmp_path):
    done = run(write_case(tmp_path / "case", SLAB), tmp_path / "out")
    found = table(tmp_path / "out" / "profiles.csv")
    assert found["x_from"] == pytest.approx(np.arange(5) / 5)
    scores = (found["A"] - 200 * (1 - found["x_from"] - 0.1)) / found["A_error"]
    assert np.abs(scores).max() < 3.5 and np.abs(scores).max() > 0.05
    assert done.series["time"][1] == pytest.approx(0.024)  # 2250 steps in 188 rows of 12


def test_pairs_of_independent_molecules_are_uncorrelated(tmp_path):
    text = BOX.replace("place = [0.25, 0.5, 0.5]\n", "").replace("2000", "300")
    for wall in ("left", "right", "front", "back", "bottom", "top"):
        text += f'[particles.walls.{wall}]\ntype = "periodic"\n'
    text += '[particles.measure.pairs]\nspecies = ["A", "A"]\nradius = 0.4\nbins = 5\n'
    run(write_case(tmp_path / "case", text), tmp_path / "out", "particles.measure.begin=0.0",
        "particles.replicas=12", "particles.averages={}")  # fmt: skip
    found = table(tmp_path / "out" / "pair_correlation.csv")
    assert found["distance_to"] == pytest.approx([0.08, 0.16, 0.24, 0.32, 0.4])
    scores = (found["g"] - 1) / found["g_error"]
    assert np.abs(scores).max() < 3.5
    assert (found["g_error"] < 0.05).all()


# ---- reactions, ledger, rows


def test_reactions_of_the_network_happen(tmp_path):
    """A <-> C alone, from the start in equilibrium; births, losses and walls enter the ledger."""
    model = build(tmp_path, REACTING)
    found = to_end(model, 0.5)
    assert found["ledger_residual"] == 0
    assert found["count_B"] == 3 and found["events_birth"] > 5
    assert found["events_turn"] > found["events_turn_reverse"] > 0
    assert found["events_pair"] > 0
    assert "left_C_left" in found and "left_A_right" in found and "left_A_left" not in found
    assert "exit_time_C_left" not in found  # C is made on the way


def test_a_decay_has_its_rate(tmp_path):
    text = BOX.replace("[particles]", '[chemistry.reactions.decay]\nequation = "A -> 0"\n'
                       "rate = 7.0\n[particles]")  # fmt: skip
    model = build(tmp_path, text, "particles.replicas=40", "particles.measure.bins=0")
    found = to_end(model, 0.1)
    share = math.exp(-0.7)
    assert abs(score(model, "count_A", 2000 * share)) < 3
    assert abs(score(model, "count_A_variance", 2000 * share * (1 - share))) < 3
    assert found["events_decay"] == pytest.approx(2000 - found["count_A"], rel=1e-14)


def test_rows_stand_where_they_are_asked_for(tmp_path):
    done = run(write_case(tmp_path / "case", REACTING), tmp_path / "out")
    assert done.series["time"] == pytest.approx(np.arange(11) * 0.05, abs=1e-12)
    assert done.summary["observables"]["mean_A"]["error"] > 0
    with h5py.File(tmp_path / "out" / "particles.vtkhdf") as file:
        assert file["VTKHDF/Steps/Values"][:] == pytest.approx(np.arange(6) * 0.1)
        species = file["VTKHDF/PointData/species"][:]
    assert set(species) == {0, 1, 2}
    assert not (tmp_path / "out" / "fields.vtkhdf").exists()


def test_derived_observables_have_errors(tmp_path):
    text = BOX + '[particles.derived]\nsquare = "mode^2*k"\n[parameters]\nk = 3.0\n'
    model = build(tmp_path, text)
    to_end(model, 0.1)
    by_name = {one.name: one for one in model.observables()}
    mode, square = by_name["mode"], by_name["square"]
    assert square.value == pytest.approx(3 * mode.value**2, rel=1e-14)
    assert square.error == pytest.approx(6 * mode.value * mode.error, rel=0.05)


def test_concentrations_with_units_become_molecules(tmp_path):
    text = BOX.replace("number = 2000\nplace = [0.25, 0.5, 0.5]", 'concentration = "1 mM"')
    text = text.replace("[1, 1, 1]", '["0.1 um", "0.1 um", "0.1 um"]')
    text += '[units]\nlength = "nm"\ntime = "ns"\n'
    model = build(tmp_path, text)
    assert abs(values_of(model)["count_A"] - 602.2) < 4 * math.sqrt(602.2 / 3)
    with pytest.raises(CaseError, match="counted one by one"):
        build(tmp_path, text + 'amount = "mol"\n')


# ---- ranks and resuming
