"""Salesforce as a CRM: leads, tasks and opportunities, over its REST API.

Belongs here: what Salesforce's addresses, formats, errors and limits mean. Does not belong here: what is written where
(``playbook``) and when (``tasks``). It is imported where a CRM is used, for commands start faster without it.
"""

from leadgate.connectors.salesforce.access import ClientCredentials, JwtCredentials
from leadgate.connectors.salesforce.connection import DEFAULT_VERSION, Salesforce

__all__ = ["DEFAULT_VERSION", "ClientCredentials", "JwtCredentials", "Salesforce"]
