"""Proof by simulation, where the truth is known."""
