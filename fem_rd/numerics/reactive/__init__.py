"""Several species that move by themselves and react with each other at the nodes; no physics."""
