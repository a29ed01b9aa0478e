"""For how long what has ended is kept: the policy, when it lets something go, and what that would be."""
