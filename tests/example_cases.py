"""Two case files for the tests of loading: one with everything in it, and the smallest."""

from __future__ import annotations

from pathlib import Path

from fem_rd.case import Case, load_case

CASE = """\
title = "A reactive sphere"
model = "smoluchowski"

[units]
length = "nm"
time = "ns"
temperature = "298 K"

[parameters]
sigma = 1.0
D = "0.5 nm^2/ns"
k = "4*pi*sigma*D"

[mesh]
geometry = "spherical-shell"

[mesh.parameters]
inner_radius = "sigma"
outer_radius = "5 nm"

[smoluchowski]
diffusion = "D"
potential = "-2*sigma/r"
initial = "where(z > 0, 1, 0)"

[smoluchowski.boundaries.reactive]
type = "robin"
kappa = "k"

[smoluchowski.boundaries.reservoir]
type = "dirichlet"
concentration = "1 mM"

[smoluchowski.rates.layer]
degradation = "1 /us"

[time]
end = "1 us"

[output]
times = [1, "10 ns"]
"""

BOX = """\
model = "smoluchowski"
[mesh]
builtin = "box"
upper = [1, 1, 1]
cells = [2, 2, 2]
[smoluchowski]
diffusion = 1
"""


def load_text(directory: Path, text: str, *overrides: str) -> Case:
    """Load a text as the case.toml of a directory."""
    (directory / "case.toml").write_text(text, encoding="utf-8")
    return load_case(directory, overrides)
