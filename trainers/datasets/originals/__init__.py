"""Readers of the original files of the datasets, as they were published: a file each."""
