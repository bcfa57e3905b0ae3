"""What is simulated: each model joins equations to numerics for one section of a case."""
