"""What runs flows: the consumer, runs that are started before their leads come, the Prefect server, batch sizes."""
