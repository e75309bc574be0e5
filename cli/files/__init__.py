"""`imagemill files`: what was uploaded, and uploading."""
