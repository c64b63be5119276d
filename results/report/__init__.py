"""A study's figures and tables, with the published numbers beside ours, as one page."""
