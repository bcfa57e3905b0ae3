"""Slow variables of a molecular system, and the coefficients of their equations from trajectories.

Source: Pankavich, Shreif and Ortoleva, Multiscaling for classical nanosystems: derivation of
Smoluchowski and Fokker-Planck equations (2008); its equations are the numbers in this package.
Nothing here knows DOLFINx.
"""
