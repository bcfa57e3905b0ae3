"""Two-way coupling on a line: limits, orders, variances (tables on the screen) and their figure.

`./with-env python3 benchmarks/hybrid_coupling.py` writes docs/images/hybrid-coupling.png.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import brentq

from fem_rd.exact.hybrid_coupling import exchange_gain, kick_shift, line_gain, relaxation
from fem_rd.exact.hybrid_fluctuations import layered_share, slab_share, stationary_numbers
from fem_rd.exact.hybrid_line import HybridLine
from fem_rd.exact.validity import Floats

END = 0.08
CASES = (
    ("ark2", "spread"),
    ("exact", "spread"),
    ("backward-euler", "kick"),
    ("ark2", "kick"),
)
VARIANTS: dict[str, dict[str, str | bool]] = {
    "kick": {"source": "kick"},
    "spread, backward Euler": {"scheme": "backward-euler"},
    "spread": {},
    "spread, predicted data": {"predicted": True},
}


def relaxed(line: HybridLine) -> HybridLine:
    """The scheme with the relaxation that its gain asks for."""
    depth, other = float(line.volumes[0]), line.reservoir_diffusion
    gain = exchange_gain(line.diffusion, line.step, depth, other)
    return replace(line, relaxation=1.0 if line.predicted else relaxation(gain))


def smooth(x: Floats) -> Floats:
    """A value and a flux at the interface that both change."""
    y = math.pi * (x + 1)
    return np.asarray(1 + np.cos(y / 2) + np.cos(y) / 2)


def scheme(cells: int, steps: int, variant: str) -> HybridLine:
    line = HybridLine(1.0, cells, 1 / cells, END / steps)
    chosen = replace(line, **VARIANTS[variant])  # type: ignore[arg-type]
    return chosen if variant == "kick" else relaxed(chosen)


def end(line: HybridLine) -> Floats:
    state = line.after(round(END / line.step), line.state(smooth, smooth))
    number, values = line.split(state)
    return np.r_[number, values]


def errors(cells: int, steps: list[int], variant: str) -> list[float]:
    """Root mean squares of number and nodal values against the limit of short steps."""
    fine = end(HybridLine(1.0, cells, 1 / cells, END / 2048, predicted=True))
    found = [end(scheme(cells, count, variant)) - fine for count in steps]
    return [math.sqrt(np.mean(difference**2)) for difference in found]


def profile(line: HybridLine, state: Floats, x: Floats) -> Floats:
    """Density of the particles: the data at the interface and sines for the rest."""
    k, _, capacity = line.modes()
    rest = (state[: len(k)] - state[-1] * capacity[:-1]) * k
    return np.asarray(state[-1] + np.sin(np.outer(x, k)) @ rest)


def show_step(axes: Axes) -> None:
    x = np.asarray(np.linspace(0, 1, 201), dtype=np.float64)
    for variant, colour in (("kick", "C3"), ("spread", "C0")):
        line = scheme(10, 8, variant)
        state = line.after(8, line.state(np.zeros_like, np.ones_like))
        axes.plot(x, profile(line, state, x), colour, label=variant)
        axes.plot(line.nodes, line.split(state)[1], f"{colour}.-")
    n = np.arange(200) + 0.5
    left = np.exp(-((n * math.pi) ** 2) * END) / (n * math.pi)
    both = np.linspace(-1, 1, 201)
    axes.plot(both, 0.5 - np.sin(np.outer(both, n) * math.pi) @ left, "k:", label="exact")
    axes.set(xlabel="x", ylabel="concentration", title="a step, after 8 steps of $h^2/D$")


def show_errors(axes: Axes) -> None:
    steps = [8, 16, 32, 64, 128, 256, 512]
    numbers = [END / count * 400 for count in steps]
    print("errors at h = 1/20; D Delta/h^2 =", " ".join(f"{value:8.3g}" for value in numbers))
    for variant in VARIANTS:
        found = errors(20, steps, variant)
        axes.loglog(numbers, found, ".-", label=variant)
        rates = np.log2(np.array(found[:-1]) / found[1:])
        print(f"  {variant:24}", " ".join(f"{value:8.1e}" for value in found), rates.round(2))
    axes.set(xlabel=r"$D\Delta/h^2$", ylabel="error", title="two modes, fixed h, relaxed data")


def show_shares(axes: Axes) -> None:
    f = np.linspace(0.01, 0.99, 50)
    axes.plot(f, [slab_share(value) for value in f], label="closed, of binomial")
    held = [layered_share(value, 1 - value, held=True, cells=300) for value in f]
    axes.plot(f, held, label="far end held, of Poisson")
    for value in (0.25, 0.5, 0.75):
        cells = round(40 * (1 - value))
        line = HybridLine(value, cells, 0.025, 0.05 * 0.025**2)
        numbers = stationary_numbers(line)[0], stationary_numbers(replace(line, held=True))[0]
        axes.plot(value, numbers[0] / (value * (1 - value)), "C0o")
        axes.plot(value, numbers[1] / value, "C1o")
    axes.set(xlabel="particles' part of the slab", ylabel="variance", title="own reservoir")
    axes.set_ylim(0, 1)


def print_limits() -> None:
    print("multiplier -r and shift of a kicked interface in h, at D_r = D")
    for number in (0.05, 0.17, 0.36, 1.0, 4.0, 100.0):
        gains = (line_gain(number, "ark2"), line_gain(number, "backward-euler"))
        kicked = (line_gain(number, "ark2", "kick"), kick_shift(number))
        chosen = relaxation(exchange_gain(1.0, number, 0.5, 1.0))
        print(f"  {number:7.2f}", *(f"{value:8.3f}" for value in (*gains, *kicked, chosen)))


def print_stable() -> None:
    print("longest stable D Delta/h^2 at D_r/D = 0.1, 0.3, 1, 3, 10 (none: stable at any)")
    steps = np.asarray(np.geomspace(0.01, 1e3, 60), dtype=np.float64)
    for name, source in CASES:
        row = []
        for ratio in (0.1, 0.3, 1.0, 3.0, 10.0):
            beyond = [line_gain(number, name, source, ratio) > 1 for number in steps]
            first = int(np.argmax(beyond))
            limit = _root(name, source, ratio, first, steps) if any(beyond) else math.inf
            row.append("none" if math.isinf(limit) else f"{limit:.3f}")
        print(f"  {name:16}{source:8}", *row)


def _root(name: str, source: str, ratio: float, first: int, steps: Floats) -> float:
    def excess(number: float) -> float:
        return line_gain(number, name, source, ratio) - 1

    return float(brentq(excess, steps[first - 1], steps[first]))


def print_excess() -> None:
    print("(Var N - its limit)/(c h): bare, with noise on the edges")
    for number in (0.01, 0.05, 0.1, 0.17, 0.5, 2.0):
        line = relaxed(HybridLine(1.0, 20, 0.05, number * 0.0025))
        bare, noisy = stationary_numbers(line)[0], stationary_numbers(line, noise=True)[0]
        print(f"  {number:7.2f} {(bare - 0.25) * 20:8.3f} {(noisy - 0.5) * 20:8.3f}")


def main() -> None:
    mpl.use("Agg")
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    axes = figure.subplots(1, 3)
    show_step(axes[0])
    show_errors(axes[1])
    show_shares(axes[2])
    for part in axes:
        part.legend(frameon=False, fontsize=8)
        part.grid(alpha=0.3)
    figure.savefig(Path(__file__).parents[1] / "docs" / "images" / "hybrid-coupling.png", dpi=110)
    print_limits()
    print_stable()
    print_excess()


if __name__ == "__main__":
    main()
