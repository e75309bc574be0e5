"""`imagemill doctor`: is all well, and how to mend what is not."""
