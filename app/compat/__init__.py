"""Other systems' ways of speaking, at the edge: nothing of the core knows of them."""
