"""Which ranker is in use and which would like to be: runs, versions, and the gate between them."""
