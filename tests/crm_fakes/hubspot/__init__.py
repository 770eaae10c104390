"""A fake of HubSpot's CRM: contacts, deals, tasks, owners, properties and associations, strict and with a memory.

portal = Portal()
portal.add_property("contacts", "leadgate_id", unique=True)
fake = FakeHubSpot(portal, token="pat-fake")
with serve(fake) as base_url: ...
"""

from crm_fakes.hubspot.api import FakeHubSpot
from crm_fakes.hubspot.limits import Limits
from crm_fakes.hubspot.portal import Portal, Record, Rule
from crm_fakes.hubspot.properties import Property

__all__ = ["FakeHubSpot", "Limits", "Portal", "Property", "Record", "Rule"]
