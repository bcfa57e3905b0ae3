"""A network without place."""
