"""Datasets: a file each."""
