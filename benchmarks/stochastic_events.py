"""Events per second of the exact stochastic simulation, on one core.

Run: ./with-env python3 benchmarks/stochastic_events.py
"""

from __future__ import annotations

import time

from fem_rd.chemistry.equations import mass_action
from fem_rd.chemistry.network import Network
from fem_rd.chemistry.stochastic import Simulation

REPEATS = 3
# network, volume, initial counts, end of a run of 100 replicas
SYSTEMS: dict[str, tuple[Network, float, dict[str, int], float]] = {
    "immigration and death": (
        mass_action({"in": ("0 -> A", 100.0), "out": ("A -> 0", 1.0)}), 1.0, {"A": 100}, 500.0,
    ),
    "dimerisation": (
        mass_action({"pair": ("2 A <-> B", 0.01, 1.0)}), 1.0, {"A": 200}, 1000.0,
    ),
    "Schloegl": (
        mass_action({"cubic": ("2 X <-> 3 X", 3.0, 0.6), "feed": ("0 <-> X", 0.25, 2.95)}),
        100.0, {"X": 100}, 50.0,
    ),
    "Brusselator": (
        mass_action({
            "feed": ("0 -> X", 1.0), "cubic": ("2 X + Y -> 3 X", 1.0),
            "change": ("X -> Y", 3.0), "out": ("X -> 0", 1.0),
        }),
        100.0, {"X": 100, "Y": 300}, 50.0,
    ),
    "ring of 100 species": (
        mass_action({f"hop{i}": (f"A{i} -> A{(i + 1) % 100}", 1.0) for i in range(100)}),
        1.0, {"A0": 1000}, 30.0,
    ),
}  # fmt: skip


def main() -> None:
    """Print the best of a few runs for each system."""
    for name, (network, volume, initial, end) in SYSTEMS.items():
        simulation = Simulation(network, volume)
        simulation.run(initial, [end / 100], 1, seed=0)  # compiled here
        best = 0.0
        for repeat in range(REPEATS):
            begin = time.perf_counter()
            events = simulation.run(initial, [end], 100, seed=repeat).events
            best = max(best, events / (time.perf_counter() - begin))
        print(f"{name:24s} {best:9.2e} events/s")


if __name__ == "__main__":
    main()
