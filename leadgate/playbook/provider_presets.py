"""Services that enrich companies, as their public documentation describes them.

Belongs here: addresses, headers and names in answers of vendors. Does not belong here: asking them.

What is here was read in the vendors' documentation and has met fakes only, never the services themselves. A playbook's
own keys win over those of a preset.
"""

from __future__ import annotations

from typing import Any, Final

PRESETS: Final[dict[str, dict[str, Any]]] = {
    # https://docs.apollo.io/reference/organization-enrichment: the header alone carries the key; one credit a company.
    # A company that is not known is an answer without an organization.
    "apollo": {
        "url": "https://api.apollo.io/api/v1/organizations/enrich?domain={company_domain}",
        "auth": {"header": "X-Api-Key", "secret_env": "LEADGATE_PROVIDER_APOLLO"},
        "fields": {
            "employees": "organization.estimated_num_employees",
            "revenue": "organization.annual_revenue",
            "company": "organization.name",
            "industry": "organization.industry",
            "country": "organization.country",
            "state": "organization.state",
            "city": "organization.city",
        },
        "not_found": {"status": [404], "where": "organization == null"},
    },
    # https://docs.peopledatalabs.com/docs/output-response-company-enrichment-api: the record is the answer itself, and
    # its names are in lower case but for `display_name`. 404 is no match, which costs nothing; free accounts may ask
    # 100 times a minute.
    "people_data_labs": {
        "url": "https://api.peopledatalabs.com/v5/company/enrich?website={company_domain}",
        "auth": {"header": "X-Api-Key", "secret_env": "LEADGATE_PROVIDER_PEOPLE_DATA_LABS"},
        "fields": {
            "employees": "employee_count || size",
            "revenue": "inferred_revenue",
            "company": "display_name || name",
            "industry": "industry",
            "country": "location.country",
            "state": "location.region",
            "city": "location.locality",
        },
        "not_found": {"status": [404]},
        "per_second": 1.5,
    },
    # https://hunter.io/api-documentation/v2#company-enrichment: the record is below `data`, in Clearbit's names.
    "hunter": {
        "url": "https://api.hunter.io/v2/companies/find?domain={company_domain}",
        "auth": {"header": "X-API-KEY", "secret_env": "LEADGATE_PROVIDER_HUNTER"},
        "fields": {
            "employees": "data.metrics.employees",
            "revenue": "data.metrics.annualRevenue || data.metrics.estimatedAnnualRevenue",
            "company": "data.name",
            "industry": "data.category.industry",
            "country": "data.geo.countryCode || data.geo.country",
            "state": "data.geo.state",
            "city": "data.geo.city",
        },
        "not_found": {"status": [404], "where": "data == null"},
    },
}
