"""Learners: one for each algorithm, and the interface to a run."""
