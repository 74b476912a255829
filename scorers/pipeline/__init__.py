"""From raw tables to a promoted bundle: every step a command of its own, in the order of `Pipeline.run`."""
