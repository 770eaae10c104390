"""Fakes of CRMs: stateful and strict, over real HTTP on loopback."""
