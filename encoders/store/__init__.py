"""Weights on disk: where they are, how they get there, what is checked about them."""
