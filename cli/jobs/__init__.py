"""`imagemill jobs`: lists, items, changes and streams of jobs."""
