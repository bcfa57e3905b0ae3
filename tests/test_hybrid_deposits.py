"""A PDE that is given and robbed of amounts in its steps, and shares of its reactions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cases import build, values_of, write_case
from mpi4py import MPI
from ranks import printed_on_ranks

from fem_rd.case.loading import load_case
from fem_rd.checkpoint import Checkpoints, newest
from fem_rd.errors import CaseError
from fem_rd.log import Log
from fem_rd.mesh.build import build_domain
from fem_rd.models.reaction_diffusion.model import ReactionDiffusionModel
from fem_rd.numerics.reactive.schemes import FED_SCHEMES
from fem_rd.state import State

CASE = """
title = "A and B between a reservoir and a wall"
model = "reaction-diffusion"
[mesh]
builtin = "rectangle"
upper = [1.0, 1.0]
cells = [8, 8]
[chemistry.reactions.meeting]
equation = "A + B -> 0"
rate = 0.02
[chemistry.reactions.birth]
equation = "0 -> B"
rate = 30.0
[reaction-diffusion.species.A]
diffusion = 1.0
initial = 40.0
[reaction-diffusion.species.A.boundaries.right]
type = "dirichlet"
concentration = "40 + 10*sin(20*t)"
[reaction-diffusion.species.B]
diffusion = 0.3
potential = "x"
initial = 20.0
[reaction-diffusion.species.B.boundaries.top]
type = "robin"
reactivity = 2.0
concentration = 5.0
[time]
end = 1.0
step = 0.005
scheme = "ark2"
[solver]
tolerance = 1e-12
"""


STEP = 0.005


def fed_model(directory: Path, *overrides: str, comm: MPI.Comm = MPI.COMM_SELF, **shares: object
) -> ReactionDiffusionModel:  # fmt: skip
    case = load_case(directory, overrides)
    domain = build_domain(case.mesh, comm, case_dir=directory)
    return ReactionDiffusionModel(case, domain, Log(quiet=True), fed=True, **shares)


def deposits(model: ReactionDiffusionModel, step: int) -> np.ndarray:
    """Amounts for every node with x < 0.3 and for some on the Dirichlet boundary."""
    x, y, _ = model.positions().T
    phase = 7 * x + 13 * y
    wave = np.array([np.sin(phase * step), np.cos(3 * phase + step)])
    return 0.05 * wave * ((x < 0.3) | np.isclose(x, 1.0))


def ledger(model: ReactionDiffusionModel) -> float:
    return values_of(model)["ledger_residual"]


@pytest.mark.parametrize("scheme", FED_SCHEMES)
def test_the_account_closes_to_round_off(tmp_path: Path, scheme: str) -> None:
    write_case(tmp_path, CASE)
    steps = 200 if scheme == "ark2" else 20
    model = fed_model(tmp_path, f"time.scheme={scheme}")
    given = np.zeros(2)
    for step in range(steps):
        amounts = deposits(model, step)
        model.deposit(amounts, STEP)
        given += amounts.sum(axis=1)
        model.advance(1.0)
        assert ledger(model) <= 1e-12
    found = values_of(model)
    entered = [found[f"entered_{name}_interface"] for name in "AB"]
    assert entered == pytest.approx(given, rel=1e-12)
    assert np.abs(given).max() > 1e-3


def test_what_enters_at_a_node(tmp_path: Path) -> None:
    """Where nothing moves, c changes by amount/volume at the node alone; in a potential too."""
    text = CASE.replace("diffusion = 1.0", "diffusion = 1e-14")
    text = text.replace("diffusion = 0.3", "diffusion = 1e-14")
    for still in ("rate = 0.02", "rate = 30.0", "reactivity = 2.0"):
        text = text.replace(still, still.partition("=")[0] + "= 0.0")
    write_case(tmp_path, text)
    model = fed_model(tmp_path)
    before = model.concentrations().copy()
    amounts = np.zeros_like(before)
    node = int(np.argmin(np.abs(model.positions()[:, :2] - 0.5).sum(axis=1)))
    amounts[:, node] = 1.0, -0.1
    model.deposit(amounts, STEP)
    model.advance(1.0)
    change = model.concentrations() - before
    inside = model.positions()[:, 0] < 0.99
    assert change[:, node] == pytest.approx(amounts[:, node] / model.volumes[node], rel=1e-9)
    change[:, node] = 0.0
    assert np.abs(change[:, inside]).max() < 1e-9
    assert model.volumes.sum() == pytest.approx(1.0) and model.place.owned == len(model.volumes)


def test_what_enters_under_a_dirichlet_condition_leaves_there(tmp_path: Path) -> None:
    write_case(tmp_path, CASE)
    fed, free = fed_model(tmp_path), fed_model(tmp_path)
    amounts = np.zeros_like(fed.concentrations())
    amounts[0, np.isclose(fed.positions()[:, 0], 1.0)] = 0.3
    fed.deposit(amounts, STEP)
    free.deposit(np.zeros_like(amounts), STEP)
    for model in (fed, free):
        model.advance(1.0)
    left = [values_of(model)["left_A_right"] for model in (fed, free)]
    assert left[0] - left[1] == pytest.approx(amounts.sum(), rel=1e-9)
    assert fed.concentrations() == pytest.approx(free.concentrations(), rel=1e-11)


def test_a_steady_flux_sees_no_jump(tmp_path: Path) -> None:
    """A constant supply at one end and a sink at the other: the profile is a line, at any step."""
    text = CASE[: CASE.index("[chemistry.reactions.birth]")].replace("0.02", "0.0")
    text += """
[reaction-diffusion.species.A]
diffusion = 1.0
initial = "2*(1 - x)"
[reaction-diffusion.species.A.boundaries.right]
type = "dirichlet"
concentration = 0.0
[reaction-diffusion.species.B]
diffusion = 1.0
[time]
end = 2.0
step = 0.1
scheme = "ark2"
[solver]
tolerance = 1e-13
"""
    write_case(tmp_path, text)
    model = fed_model(tmp_path)
    x, y, _ = model.positions().T
    amounts = np.zeros_like(model.concentrations())
    ends = np.where(np.isclose(np.abs(y - 0.5), 0.5), 0.5, 1.0) / 8
    amounts[0] = np.where(np.isclose(x, 0.0), 2.0 * ends, 0.0) * 0.1
    for _ in range(20):
        model.deposit(amounts, 0.1)
        model.advance(2.0)
    assert model.concentrations()[0] == pytest.approx(2 * (1 - x), abs=1e-9)


def test_a_restored_run_goes_on_to_the_bit(tmp_path: Path) -> None:
    write_case(tmp_path, CASE)
    model = fed_model(tmp_path)
    for step in range(30):
        if step == 13:
            kept = model.state()
            kept = State({k: v.copy() for k, v in kept.distributed.items()},
                         {k: np.array(v) for k, v in kept.replicated.items()})  # fmt: skip
        model.deposit(deposits(model, step), STEP)
        model.advance(1.0)
    again = fed_model(tmp_path)
    again.restore(kept)
    for step in range(13, 30):
        again.deposit(deposits(again, step), STEP)
        again.advance(1.0)
    assert np.array_equal(again.concentrations(), model.concentrations())
    assert values_of(again) == values_of(model)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["time.scheme=imex-bdf2"], "time.scheme: .*exchanged.* valid: ark2, ark3, ark4, impl"),
        (["time.scheme=strang"], "time.scheme: .*exchanged.* valid: ark2, ark3, ark4, impl"),
        (["reaction-diffusion.degree=2"], "reaction-diffusion.degree: .*exchanged.*lumped"),
    ],
)
def test_what_cannot_be_fed(tmp_path: Path, overrides: list[str], message: str) -> None:
    write_case(tmp_path, CASE.replace('potential = "x"', ""))
    with pytest.raises(CaseError, match=message):
        fed_model(tmp_path, *overrides)


def test_a_steady_run_and_an_unfed_model(tmp_path: Path) -> None:
    steady = CASE[: CASE.index("[time]")].replace("40 + 10*sin(20*t)", "40")
    write_case(tmp_path / "steady", steady)
    with pytest.raises(CaseError, match=r"time.step: .*steps of one length"):
        fed_model(tmp_path / "steady")
    model = build(tmp_path / "unfed", CASE)
    assert isinstance(model, ReactionDiffusionModel)
    assert "entered_A_interface" not in values_of(model)
    with pytest.raises(ValueError, match="without a place"):
        model.deposit(np.zeros_like(model.concentrations()), STEP)


def test_shares_of_a_reaction_at_the_nodes(tmp_path: Path) -> None:
    """Half the rate at half the nodes; with a region, both count."""
    write_case(tmp_path, CASE)
    whole = fed_model(tmp_path)
    half = np.where(whole.positions()[:, 1] < 0.4, 0.5, 1.0)
    model = fed_model(tmp_path, shares={"meeting": half})
    a, b = model.concentrations()
    found, full = values_of(model), values_of(whole)
    expected = 0.02 * (a * b * model.volumes)
    assert full["events_meeting"] == pytest.approx(expected.sum(), rel=1e-12)
    assert found["events_meeting"] == pytest.approx(half @ expected, rel=1e-12)
    assert found["events_birth"] == full["events_birth"]
    regions = "[mesh.regions.left]\nupper = [0.5, 1.0]\n[chemistry.reactions.meeting]\n"
    text = CASE.replace("[chemistry.reactions.meeting]", regions + 'region = "left"')
    write_case(tmp_path, text)
    regional = fed_model(tmp_path)
    half = np.where(regional.positions()[:, 1] < 0.4, 0.5, 1.0)
    both = fed_model(tmp_path, shares={"meeting": half})
    left = both.place.share("left")
    assert 0 < left.sum() < len(left)
    a, b = both.concentrations()
    expected = 0.02 * (left * half) @ (a * b * both.volumes)
    assert values_of(both)["events_meeting"] == pytest.approx(expected, rel=1e-12)


RANKS = """
import json
import sys
from pathlib import Path
import numpy as np
from mpi4py import MPI
from test_hybrid_deposits import STEP, deposits, fed_model, values_of, saved_and_found
comm = MPI.COMM_WORLD
model = fed_model(Path("case"), comm=comm)
for step in range(20):
    model.deposit(deposits(model, step), STEP)
    model.advance(1.0)
found = values_of(model)
same = saved_and_found(model, comm, Path("checkpoints"), write=sys.argv[1] == "write")
if comm.rank == 0:
    print(json.dumps([found, same]))
"""


def saved_and_found(
    model: ReactionDiffusionModel, comm: MPI.Comm, directory: Path, *, write: bool
) -> bool:
    """Write a state of two parts, or find it again on as many ranks as there are now."""
    own = np.array_split(np.arange(5), comm.size)[comm.rank]
    replicas = np.column_stack([own, np.zeros((len(own), 2))]).astype(float)
    checkpoints = Checkpoints(directory, {"pde": model.positions(), "replicas": replicas}, comm)
    x, y, _ = model.positions().T
    inner = State({"values": np.array([x, y])}, {"number": np.array(3.0)}).within("march")
    counts = State({"counts": np.outer([1.0, 10.0], own)}, {})
    state = inner.within("pde") | counts.within("replicas")
    if write:
        checkpoints.save(1.0, 7, state)
    file = newest(directory, print)
    assert file is not None
    found = checkpoints.load(file)
    pairs = [(found.distributed[name], values) for name, values in state.distributed.items()]
    same = all(np.allclose(read, values, atol=1e-12) for read, values in pairs)
    same &= found.part("pde").part("march").number("number") == 3.0
    return bool(comm.allreduce(int(same)) == comm.size)


@pytest.mark.mpi
def test_ranks_agree_and_find_both_parts_of_a_state(tmp_path: Path) -> None:
    """Written by 2 ranks; found by 2, 1 and 3."""
    write_case(tmp_path / "case", CASE)
    results = []
    for ranks in (2, 1, 3):
        word = "write" if ranks == 2 else "read"
        found, same = printed_on_ranks(ranks, RANKS, tmp_path, [word])
        assert same and found["ledger_residual"] <= 1e-12
        results.append(found)
    for name, value in results[0].items():
        if name not in ("ledger_residual", "conserved_1"):
            assert results[1][name] == pytest.approx(value, rel=1e-9, abs=1e-10), name


def test_parts_of_another_run_are_refused(tmp_path: Path) -> None:
    comm, places = MPI.COMM_SELF, np.zeros((4, 3))
    places[:, 0] = np.arange(4)
    values = State({"pde.values": np.ones(4), "replicas.counts": np.ones(4)}, {})
    Checkpoints(tmp_path, {"pde": places, "replicas": places}, comm).save(1.0, 1, values)
    file = newest(tmp_path, print)
    assert file is not None
    for positions in (
        places,
        {"pde": places},
        {"pde": places, "replicas": places[:3]},
        {"pde": places, "replicas": places + 0.1},
    ):
        with pytest.raises(CaseError, match="another mesh"):
            Checkpoints(tmp_path, positions, comm).load(file)
    with pytest.raises(ValueError, match="is in no part"):
        Checkpoints(tmp_path, {"pde": places}, comm).save(2.0, 2, values)
