"""Rates that change for good: watched per category with ADWIN, told as signals."""
