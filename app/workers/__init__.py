"""Workers as the record knows them: who is there, and what is wanted of them."""
