"""A history counted all at once, before the live stages take over."""
