"""Readers and writers of files, archives and tables."""
