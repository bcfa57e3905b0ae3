"""A PDE reservoir and a place of particles side by side: what passes between them."""
