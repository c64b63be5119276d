"""Images of one to seven continuous factors (Song 2018, section 3.2)."""
