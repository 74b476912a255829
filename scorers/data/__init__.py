"""Tables from anyone: what they must hold, reading, checking and making them."""
