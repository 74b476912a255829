"""Keywords for tables of products, with nothing trained: `keypulse suggest`."""
