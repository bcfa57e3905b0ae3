"""Meshes with named regions and boundaries: from Gmsh geometries, files and built-in shapes."""
