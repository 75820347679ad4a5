"""Half an hour of everything at once: load of all kinds, swaps, kills, and a count of what was promised."""
