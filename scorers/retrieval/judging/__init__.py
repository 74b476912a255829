"""How good retrieval is: by the simulator's truth, and on real text."""
