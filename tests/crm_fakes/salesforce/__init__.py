"""A fake org of Salesforce, strict and stateful, over real HTTP on loopback.

It was written by Salesforce's documentation. A client that is not ours, simple-salesforce, works with it; it was never
compared with a real org.
"""

from crm_fakes.salesforce.org import DuplicateRule, Org, ValidationRule
from crm_fakes.salesforce.service import FakeSalesforce
from crm_fakes.salesforce.tokens import App

__all__ = ["App", "DuplicateRule", "FakeSalesforce", "Org", "ValidationRule"]
