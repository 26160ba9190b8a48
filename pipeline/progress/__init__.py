"""How far a run has come: what steps tell, and what is shown of it."""
