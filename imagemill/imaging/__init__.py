"""Smaller copies of images, made in processes that can hang, grow and die without harm."""
