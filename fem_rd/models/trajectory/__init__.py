"""Coefficients of order parameters from molecular trajectories."""
