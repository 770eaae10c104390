"""Measurements that print what the README claims. Nothing here is a test: figures depend on the machine."""
