"""The provider ``company_domain``: what an e-mail address or a website says about the company.

Belongs here: this provider alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class DomainProvider:
    """The company's domain: that of a business e-mail address, else that of the website; never a free-mail one."""

    name: str
    free: frozenset[str] = frozenset()

    def look_up(self, frame: pd.DataFrame) -> pd.DataFrame:
        business = frame["email_domain"].where(~frame["is_free_mail"].fillna(False).astype(bool), None)
        website = frame["website_domain"].where(~frame["website_domain"].isin(self.free), None)
        return pd.DataFrame({"company_domain": business.where(business.notna(), website)})
