"""The client without its input and output: what is sent, how answers are read, what is tried again."""
