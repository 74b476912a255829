"""Records that could not be used: kept with place, cause and bytes, sent again once mended."""
