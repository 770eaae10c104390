"""What is wrong with a ledger that cannot be opened.

Belongs here: the error that every part of opening a ledger raises. Does not belong here: errors of single commands.
"""

from leadgate.errors import NotAvailableError


class LedgerError(NotAvailableError):
    """The ledger cannot be reached or used; the message says why and what to do."""


class NoLedgerError(LedgerError):
    """There is no ledger at ``where``, and it was only to be read."""

    def __init__(self, where: str) -> None:
        super().__init__(f"there is no ledger in {where}")
        self.where = where
