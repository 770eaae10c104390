"""One file per outside system. Connectors never import one another."""
