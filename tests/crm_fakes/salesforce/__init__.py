"""A fake org of Salesforce, strict and stateful, over real HTTP on loopback.

It was written by Salesforce's documentation, and was never compared with a real org or with another client.
"""

from crm_fakes.salesforce.org import DuplicateRule, Org, ValidationRule
from crm_fakes.salesforce.service import App, FakeSalesforce

__all__ = ["App", "DuplicateRule", "FakeSalesforce", "Org", "ValidationRule"]
