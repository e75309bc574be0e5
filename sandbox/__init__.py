"""What runs Imagemill at home for nothing: the image API, the local stack, the demo."""
