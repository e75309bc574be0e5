"""`imagemill schedules`: jobs that are submitted by themselves, by the calendar."""
