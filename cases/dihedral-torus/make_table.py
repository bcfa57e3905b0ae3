"""Writes free-energy.csv: a model of the free energy of alanine dipeptide over phi and psi.

Five wells where those of the molecule in water are (C5, polyproline II, alpha_R, alpha_L, C7_ax),
with von Mises shapes, above a torsional background; in kcal/mol every 10 degrees, as a table from a
simulation would be. Run: python3 make_table.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

KT = 0.593  # kcal/mol at 298 K
WELLS = (  # phi, psi (degrees), weight, sharpness along phi and psi
    (-150, 155, 0.55, 5.0, 4.0),
    (-68, 145, 1.00, 7.0, 5.0),
    (-72, -28, 0.80, 7.0, 5.0),
    (57, 38, 0.08, 9.0, 7.0),
    (60, -130, 0.03, 8.0, 6.0),
)
BACKGROUND = 2e-3


def free_energy(phi: np.ndarray, psi: np.ndarray) -> np.ndarray:
    """In kcal/mol, with the lowest well near 0; angles in radians."""
    density = BACKGROUND * np.exp(-1.5 * (1 + np.cos(phi - 0.3)) / 2 + 0.5 * np.cos(psi - 2.4))
    for at_phi, at_psi, weight, along_phi, along_psi in WELLS:
        turn = along_phi * (np.cos(phi - np.radians(at_phi)) - 1)
        turn += along_psi * (np.cos(psi - np.radians(at_psi)) - 1)
        density = density + weight * np.exp(turn)
    return -KT * np.log(density)


def main() -> None:
    degrees = np.arange(-180, 180, 10)
    phi, psi = np.meshgrid(np.radians(degrees), np.radians(degrees), indexing="ij")
    rows = np.stack([phi.ravel(), psi.ravel(), free_energy(phi, psi).ravel()], axis=1)
    path = Path(__file__).with_name("free-energy.csv")
    np.savetxt(path, rows, fmt="%.12g,%.12g,%.4f", header="phi,psi,F [kcal/mol]", comments="")


if __name__ == "__main__":
    main()
