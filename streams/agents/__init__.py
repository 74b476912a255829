"""What happens with the low-rate topics: catalogue, campaigns, feedback and keyword discovery.

An agent is a plain class that takes a batch of records, writes state, and returns the messages that follow; a record
that can't be used becomes a dead letter, and too many of them stop the worker. Batches come at least once: writing a
row again is harmless, and so is a signal told twice.
"""
