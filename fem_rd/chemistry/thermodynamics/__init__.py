"""Thermodynamics of reaction networks: macroscopic, and of the master equation at finite volume."""
