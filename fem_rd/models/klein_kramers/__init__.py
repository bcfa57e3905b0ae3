"""The Klein-Kramers equation of an order parameter and its momentum."""
