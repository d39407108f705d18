"""What was learned: the arrays, and what can be asked of them; in indices, not in raw ids."""
