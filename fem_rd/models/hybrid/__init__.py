"""Particles in a region of the mesh and a PDE on the rest of it."""
