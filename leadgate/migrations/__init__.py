"""The ledger's schema, one step a file. They run by themselves when a ledger is opened."""
