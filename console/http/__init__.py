"""HTTP capture: signals that other systems post, and probes. No Prefect here: it goes on when Prefect does not."""
