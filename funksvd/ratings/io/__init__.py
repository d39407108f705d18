"""Readers and writers: whatever people have, as columns."""
