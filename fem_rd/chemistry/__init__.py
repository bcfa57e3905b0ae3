"""Species, reactions and networks: the chemistry that every scale shares; no meshes, no PDE."""
