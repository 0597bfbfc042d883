"""Who is expected when, and what the hours come to: shifts, assignments, holidays, punctuality."""
