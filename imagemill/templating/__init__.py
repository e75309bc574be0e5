"""Liquid templates of strangers: checked before the first row, rendered where they can do no harm."""
