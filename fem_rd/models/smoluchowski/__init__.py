"""One species that diffuses to where it reacts."""
