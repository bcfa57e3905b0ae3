"""The Smoluchowski equation of order parameters."""
