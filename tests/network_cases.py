"""The cases with reactions: how they are made small, what they must then get right, and why.

Numbers of a small run are those of the theory for its own settings, not of `expected.toml`.
"""

from __future__ import annotations

import math
import runpy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from fem_rd.exact.annihilation_front import AnnihilationFront
from fem_rd.exact.fronts import fisher_front_speed, schloegl_roots
from fem_rd.exact.morphogen import MorphogenGradient
from fem_rd.exact.thiele import effectiveness

CASES = Path(__file__).parents[1] / "cases"
MORPHOGEN = MorphogenGradient(production=1.0, diffusion=1.0, degradation=1.0)
FRONT = AnnihilationFront(a=1.0, b=1.0, rate=1.0, diffusion=1.0)
CENTRE, AMOUNT = 13.840949789118, 15.827897729226  # of the slab between reservoirs

Number = tuple[float, float]  # value, relative tolerance


@cache
def _nonlocal() -> tuple[float, float, float]:
    """Amount, concentration at the wall and in the middle: the reference of the Doi case.

    It converges as the number of modes squared, which is used.
    """
    reference = runpy.run_path(str(CASES / "mutual-annihilation-doi" / "reference.py"))
    coarse, fine = (reference["left"](0.5, modes) for modes in (100, 200))
    amount, wall, middle = (f + (f - c) / 3 for c, f in zip(coarse, fine, strict=True))
    return amount, wall, middle


@dataclass(frozen=True)
class SmallNetwork:
    """Overrides, what must come out of them, and how closely two ranks agree with one."""

    overrides: tuple[str, ...] = ()
    numbers: Mapping[str, Number] = field(default_factory=dict)
    ranks: float = 1e-8


NETWORKS = {
    "annihilation-front": SmallNetwork(
        ("time.end=1000", "parameters.L=300", "mesh.cells=[2400]", "output.times=[100]"),
        {
            "rate_at_front": (float(FRONT.rate_at_centre(1e3)), 1e-2),
            "width": (float(FRONT.width(1e3)), 1e-3),
            "events_annihilation": (float(FRONT.flux(1e3)), 5e-3),
        },
    ),
    "brusselator": SmallNetwork(("time.end=10",), {"period": (7.156919921180, 1e-9)}),
    "catalyst-pellet": SmallNetwork(
        ("mesh.parameters.size=0.12", "mesh.parameters.size_far=0.25"),
        {"effectiveness": (effectiveness("sphere", 2.0), 2e-6)},
    ),
    "degradation-creation": SmallNetwork(
        ("mesh.cells=[25]",), {"A_centre": (CENTRE, 1e-9), "amount_A": (AMOUNT, 3e-8)}
    ),
    "fisher-front": SmallNetwork(
        ("time.end=50", "parameters.L=150", "mesh.cells=[1500]", "output.times=[]"),
        {"speed": (float(fisher_front_speed(50.0, 1.0, 1.0)), 4e-3)},
    ),
    "gray-scott": SmallNetwork(
        ("time.end=6000", "parameters.L=0.8", "mesh.cells=[64,64]", "output.fields_every=3000"),
        {"fed_over_removed": (1.0, 3e-2), "amount_V": (0.4386 * 0.4**2, 0.1)},
        ranks=1e-6,  # where the spots settle is sensitive to round-off
    ),
    "morphogen-gradient": SmallNetwork(
        ("mesh.cells=[150]", "time.tolerance=1e-6", "time.end=4", "output.times=[0.5, 1.0, 2.0]"),
        {"A_one": (float(MORPHOGEN.transient(4.0, 1.0)), 1e-6)},
    ),
    "mutual-annihilation-doi": SmallNetwork(
        ("mesh.cells=[200]",), {"amount_A": (1.704615, 1e-5), "A_wall": (0.1757035, 1e-4)}
    ),
    "sbml-dimerisation": SmallNetwork(
        (), {"P_mean": (28.542297787, 0.012), "P2_mean": (35.728851107, 0.005)}
    ),
    "schloegl": SmallNetwork((), {"X": (3.747283703867, 1e-10), "sigma": (35.720502788342, 1e-9)}),
    "schnakenberg-turing": SmallNetwork(
        ("mesh.cells=[24,24]", "time.end=0.05"),
        {"events_autocatalysis": (900.0, 1e-4), "growth6": (53.988347452, 1e-2)},
        ranks=2e-6,
    ),
    "triangle-cycle": SmallNetwork((), {"A": (0.2, 1e-10), "sigma": (0.16 * math.log(3), 1e-10)}),
}

# Numbers of `expected.toml` that can be computed here. The others are as printed
# (sbml-dimerisation), integrated to 13 digits (brusselator), or measured (gray-scott's amount_V).
NETWORK_FORMS: Mapping[tuple[str, str], Callable[[], float]] = {
    ("annihilation-front", "rate_at_front"): lambda: float(FRONT.rate_at_centre(1e4)),
    ("annihilation-front", "width"): lambda: float(FRONT.width(1e4)),
    ("annihilation-front", "events_annihilation"): lambda: 1 / math.sqrt(math.pi * 1e4),
    ("catalyst-pellet", "effectiveness"): lambda: effectiveness("sphere", 2.0),
    ("degradation-creation", "A_centre"): lambda: 2.5 + 17.5 / math.cosh(1),
    ("degradation-creation", "amount_A"): lambda: 2.5 + 17.5 * math.tanh(1),
    ("fisher-front", "speed"): lambda: float(fisher_front_speed(400.0, 1.0, 1.0)),
    ("gray-scott", "fed_over_removed"): lambda: 1.0,
    ("morphogen-gradient", "A_one"): lambda: float(MORPHOGEN.transient(8.0, 1.0)),
    ("morphogen-gradient", "ratio"): lambda: float(MORPHOGEN.transient(8.0, 1.0)) * math.e,
    ("mutual-annihilation-doi", "amount_A"): lambda: _nonlocal()[0],
    ("mutual-annihilation-doi", "A_wall"): lambda: _nonlocal()[1],
    ("mutual-annihilation-doi", "A_middle"): lambda: _nonlocal()[2],
    ("schloegl", "X"): lambda: schloegl_roots(3.0, 0.6, 0.5, 2.95)[2],
    ("schnakenberg-turing", "amount_U"): lambda: 0.1 + 0.9,
    ("schnakenberg-turing", "events_decay"): lambda: 1000 * (0.1 + 0.9),
    ("schnakenberg-turing", "events_autocatalysis"): lambda: 1000 * 0.9,
    ("triangle-cycle", "A"): lambda: 0.2,
    ("triangle-cycle", "B"): lambda: 0.24,
    ("triangle-cycle", "C"): lambda: 0.56,
    ("triangle-cycle", "sigma"): lambda: 0.16 * math.log(3),
    ("triangle-cycle", "cmf"): lambda: 0.16 * math.log(3),
}
