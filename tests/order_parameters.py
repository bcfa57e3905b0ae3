"""Cases of order parameters, for tests."""

from __future__ import annotations

from pathlib import Path

from cases import build, values_of

WELL = """
title = "double well"
model = "order-parameter"
[parameters]
h = 5.0
[order-parameter]
potential = "h*(x^2 - 1)^2"
diffusion = 1.0
first_passage = ["right"]
committor = ["left", "right"]
modes = 2
[order-parameter.grid]
coordinates = "line"
lower = -2.5
upper = 2.5
cells = 1000
[order-parameter.points]
well = -1.0
[order-parameter.sets]
left = { interval = [-2.5, -1.0] }
right = { interval = [1.0, 2.5] }
"""
TORUS = """
title = "torus"
model = "order-parameter"
[order-parameter]
{potential}
diffusion = 1.0
committor = ["a", "b"]
modes = 2
[order-parameter.grid]
coordinates = "torus"
lower = ["-pi", "-pi"]
upper = ["pi", "pi"]
cells = [48, 48]
[order-parameter.sets]
a = {{ center = ["-pi", "-pi"], radius = 0.7 }}
b = {{ center = [0.3, 0.0], radius = 0.7 }}
"""
SURFACE = "2*cos(2*x + 0.4) + 1.5*sin(y)*cos(x) + cos(2*y)"


def steady(directory: Path, text: str, *overrides: str) -> dict[str, float]:
    model = build(directory, text, *overrides)
    model.advance(0.0)
    return values_of(model)
