"""A seeded market that plays the producers: products, keywords, sellers and shoppers with known probabilities.

Imports contracts and infra only: no normal form, embedding model, feature or scorer, so that it cannot agree with them
by construction. docs/simulator.md states the mechanisms.
"""
