"""`pocketrec sweep`: many trainings, one table."""
