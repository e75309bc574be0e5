"""Image APIs: the one place that knows the provider's SDK and its errors."""
