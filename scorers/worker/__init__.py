"""The scoring worker: signals in, suggestion sets out. `worker.py` has the order, `shard.py` that of a partition."""
