"""Who is calling: tokens, their owners and scopes."""
