"""Particles in continuous space: Brownian and Langevin dynamics, walls, reactions, reservoirs.

Nothing in this package needs DOLFINx or PETSc. Its kernels are C, compiled when first used.
"""
