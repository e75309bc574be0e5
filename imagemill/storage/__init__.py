"""Object stores: the one place that knows the S3 client and its errors."""
