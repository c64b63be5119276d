"""Numbers of the papers, to be shown beside ours: a file a paper."""
