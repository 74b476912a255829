"""How well the cleaner does: on the simulator's spellings, and on words and noise that it was not made with."""
