"""Objectives: a file a framework."""
