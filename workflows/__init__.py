"""What happens, in what order: the durable side of a job, run by the Temporal engine."""
