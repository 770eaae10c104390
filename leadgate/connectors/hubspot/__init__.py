"""HubSpot: contacts, deals, tasks, owners and properties of one account, over its CRM API.

Belongs here: HubSpot's addresses, formats, limits and errors. Does not belong here: what is written and when, which the
playbook and ``tasks`` decide; how HTTP is sent (``service_session``); HubSpot's webhooks.

- ``connector``: the class ``HubSpot``, which is a ``Crm``
- ``client``: sends requests, waits for limits, and turns answers that refuse into errors
- ``limiter``: how fast requests are sent
- ``errors``: reads HubSpot's errors; every part of them may be missing
- ``values``: values as HubSpot writes them, which are texts, and as Leadgate does
- ``records``: reads records, owners and descriptions of properties from answers
- ``reading``: finds and reads records, and what changed
- ``associations``: the contacts of deals, tasks, calls, e-mails and meetings
- ``activities``: calls, e-mails, meetings and tasks as activities
- ``writing``: writes records in batches, of which one bad row costs no other row
- ``task_writing``: follow-up tasks, of which one key never makes a second
- ``setup``: what is missing in the account, and making it
"""

from leadgate.connectors.hubspot.connector import DEFAULT_VERSION, HubSpot
from leadgate.connectors.hubspot.limiter import Pace

__all__ = ["DEFAULT_VERSION", "HubSpot", "Pace"]
