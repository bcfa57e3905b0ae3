"""Discretisation in time, linear solvers and the numbering of unknowns; no physics."""
