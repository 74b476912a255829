"""Campaigns in, their candidate keywords with what each is worth out. `scorer.py` has the order."""
