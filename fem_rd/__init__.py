"""Finite-element solvers for open reaction-diffusion systems, coupled to particles."""

__version__ = "0.1.0"
