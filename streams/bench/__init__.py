"""The benchmark: our pipeline, the same work as a plain Faust agent, and the limit, on the same machine and events."""
