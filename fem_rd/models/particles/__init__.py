"""Single molecules in continuous space."""
