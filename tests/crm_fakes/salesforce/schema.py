"""The objects and fields of the fake org, and how they describe themselves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class FieldSchema:
    name: str
    type: str = "string"
    length: int = 255
    unique: bool = False
    external_id: bool = False
    case_sensitive: bool = False
    createable: bool = True
    updateable: bool = True
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()
    restricted: bool = False
    refers_to: tuple[str, ...] = ()

    def describe(self) -> dict[str, Any]:
        is_text = self.type not in ("boolean", "double", "currency", "int", "date", "datetime", "address")
        return {
            "name": self.name,
            "label": self.name.removesuffix("__c").replace("_", " "),
            "type": self.type,
            "length": self.length if is_text else 0,
            "unique": self.unique,
            "externalId": self.external_id,
            "idLookup": self.external_id or self.name == "Id",
            "caseSensitive": self.case_sensitive,
            "createable": self.createable,
            "updateable": self.updateable,
            "nillable": not self.required and self.type != "boolean",
            "defaultedOnCreate": self.default is not None or self.type == "boolean",
            "custom": self.name.endswith("__c"),
            "restrictedPicklist": self.restricted,
            "picklistValues": [
                {"active": True, "defaultValue": choice == self.default, "label": choice, "value": choice}
                for choice in self.choices
            ],
            "referenceTo": list(self.refers_to),
        }


@dataclass
class ObjectSchema:
    name: str
    prefix: str  # of ids
    fields: dict[str, FieldSchema]
    createable: bool = True
    updateable: bool = True

    def find(self, name: str) -> FieldSchema | None:
        return self.fields.get(name) or next((f for k, f in self.fields.items() if k.lower() == name.lower()), None)

    def change(self, name: str, **changes: Any) -> None:
        self.fields[name] = replace(self.fields[name], **changes)

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "keyPrefix": self.prefix,
            "createable": self.createable,
            "updateable": self.updateable,
            "queryable": True,
            "replicateable": True,
            "fields": [field.describe() for field in self.fields.values()],
        }


def _readonly(name: str, type: str = "reference", **more: Any) -> FieldSchema:
    return FieldSchema(name, type, createable=False, updateable=False, **more)


def _object(name: str, prefix: str, *fields: FieldSchema, **more: Any) -> ObjectSchema:
    system = (
        _readonly("Id", "id", length=18),
        _readonly("IsDeleted", "boolean"),
        _readonly("CreatedDate", "datetime"),
        _readonly("LastModifiedDate", "datetime"),
        _readonly("LastModifiedById", refers_to=("User",)),
        _readonly("SystemModstamp", "datetime"),
    )
    return ObjectSchema(name, prefix, {field.name: field for field in (*system, *fields)}, **more)


OWNER = FieldSchema("OwnerId", "reference", length=18, refers_to=("User", "Group"), default="the user")
KEY = FieldSchema("Leadgate_Id__c", length=64, unique=True, external_id=True, case_sensitive=True)


def build_schemas() -> dict[str, ObjectSchema]:
    """An org that is ready for Leadgate."""
    objects = [
        _object(
            "Lead",
            "00Q",
            _readonly("MasterRecordId", refers_to=("Lead",)),
            _readonly("IsConverted", "boolean"),
            _readonly("ConvertedContactId", refers_to=("Contact",)),
            _readonly("ConvertedOpportunityId", refers_to=("Opportunity",)),
            OWNER,
            KEY,
            FieldSchema("LastName", length=80, required=True),
            FieldSchema("FirstName", length=40),
            FieldSchema("Company", required=True),
            FieldSchema("Email", "email", length=80),
            FieldSchema("Phone", "phone", length=40),
            FieldSchema("Description", "textarea", length=32_000),
            FieldSchema("Status", "picklist", default="Open", choices=("Open", "Working", "Closed")),
            FieldSchema("NumberOfEmployees", "int"),
            FieldSchema("HasOptedOutOfEmail", "boolean", default=False),
            _readonly("Address", "address"),
            FieldSchema("Leadgate_Score__c", "double"),
            FieldSchema("Leadgate_Grade__c", "picklist", choices=("A", "B", "C", "D"), restricted=True),
            FieldSchema(
                "Leadgate_Topics__c", "multipicklist", length=4_099, choices=("Price", "Demo"), restricted=True
            ),
            FieldSchema("Leadgate_Due__c", "datetime"),
            FieldSchema("Leadgate_Day__c", "date"),
        ),
        _object(
            "Task",
            "00T",
            OWNER,
            KEY,
            FieldSchema("Subject", "combobox"),
            FieldSchema("Description", "textarea", length=32_000),
            FieldSchema("ActivityDate", "date"),
            FieldSchema(
                "Status", "picklist", default="Not Started", choices=("Not Started", "In Progress", "Completed")
            ),
            FieldSchema("Priority", "picklist", default="Normal", choices=("High", "Normal", "Low")),
            FieldSchema("WhoId", "reference", length=18, refers_to=("Contact", "Lead")),
            FieldSchema("WhatId", "reference", length=18, refers_to=("Opportunity",)),
            FieldSchema("IsReminderSet", "boolean", default=False),
            FieldSchema("ReminderDateTime", "datetime"),
            _readonly("IsClosed", "boolean"),
            _readonly("CompletedDateTime", "datetime"),
            FieldSchema(
                "TaskSubtype",
                "picklist",
                updateable=False,
                default="Task",
                choices=("Task", "Email", "ListEmail", "Cadence", "Call", "LinkedIn"),
                restricted=True,
            ),
            FieldSchema("CallType", "picklist", choices=("Internal", "Inbound", "Outbound"), restricted=True),
            FieldSchema("CallDurationInSeconds", "int"),
        ),
        _object(
            "Event",
            "00U",
            OWNER,
            FieldSchema("Subject", "combobox"),
            FieldSchema("WhoId", "reference", length=18, refers_to=("Contact", "Lead")),
            FieldSchema("WhatId", "reference", length=18, refers_to=("Opportunity",)),
            FieldSchema("StartDateTime", "datetime"),
            FieldSchema("ActivityDate", "date"),
            _readonly("IsChild", "boolean"),
            _readonly("IsRecurrence", "boolean"),
        ),
        _object(
            "Opportunity",
            "006",
            OWNER,
            KEY,
            FieldSchema("Name", length=120, required=True),
            FieldSchema(
                "StageName",
                "picklist",
                required=True,
                choices=("Prospecting", "Proposal/Price Quote", "Negotiation/Review", "Closed Won", "Closed Lost"),
            ),
            FieldSchema("CloseDate", "date", required=True),
            FieldSchema("Amount", "currency"),
            FieldSchema("AccountId", "reference", length=18, refers_to=("Account",)),
            FieldSchema("NextStep"),
            _readonly(
                "ForecastCategoryName", "picklist", choices=("Omitted", "Pipeline", "Best Case", "Commit", "Closed")
            ),
        ),
        _object("Account", "001", OWNER, FieldSchema("Name", required=True)),
        _object(
            "Contract",
            "800",
            OWNER,
            FieldSchema("AccountId", "reference", length=18, refers_to=("Account",), required=True),
            _readonly("ContractNumber", length=30),
            FieldSchema("Name", length=80),
            FieldSchema("StartDate", "date"),
            _readonly("EndDate", "date"),
            FieldSchema("Status", "picklist", default="Draft", choices=("Draft", "Activated", "In Approval Process")),
        ),
        _object("Contact", "003", FieldSchema("LastName", length=80, required=True)),
        _object(
            "OpportunityContactRole",
            "00K",
            FieldSchema("OpportunityId", "reference", length=18, refers_to=("Opportunity",), required=True),
            FieldSchema("ContactId", "reference", length=18, refers_to=("Contact",), required=True),
        ),
        _object(
            "User",
            "005",
            FieldSchema("Name"),
            FieldSchema("Email", "email"),
            FieldSchema("IsActive", "boolean"),
            FieldSchema("UserType", "picklist"),
            createable=False,
        ),
        _object("Group", "00G", FieldSchema("Name"), FieldSchema("Email", "email"), FieldSchema("Type", "picklist")),
        _object("PermissionSet", "0PS", FieldSchema("Name")),
        _object(
            "FieldPermissions",
            "01k",
            FieldSchema("ParentId", "reference", refers_to=("PermissionSet",)),
            FieldSchema("SobjectType", "picklist"),
            FieldSchema("Field", "picklist"),
            FieldSchema("PermissionsRead", "boolean"),
            FieldSchema("PermissionsEdit", "boolean"),
        ),
        _object(
            "AssignmentRule",
            "01Q",
            FieldSchema("Name"),
            FieldSchema("SobjectType", "picklist"),
            FieldSchema("Active", "boolean"),
            createable=False,
        ),
        _object(
            "DuplicateRule",
            "0Bm",
            FieldSchema("MasterLabel"),
            FieldSchema("SobjectType", "picklist"),
            FieldSchema("IsActive", "boolean"),
            createable=False,
        ),
        _object(
            "ValidationRule",
            "03d",
            FieldSchema("ValidationName"),
            FieldSchema("Active", "boolean"),
            FieldSchema("EntityDefinition.QualifiedApiName"),
            createable=False,
        ),
    ]
    return {schema.name: schema for schema in objects}


def build_history() -> ObjectSchema:
    """The history of leads, which an org has once it keeps one. Its values are of any type, so they are no criterion."""
    return _object(
        "LeadHistory",
        "017",
        _readonly("LeadId", length=18, refers_to=("Lead",)),
        _readonly("Field", "picklist"),
        _readonly("OldValue", "textarea"),
        _readonly("NewValue", "textarea"),
        _readonly("CreatedById", refers_to=("User",)),
        createable=False,
    )


#: Objects that only the Tooling API knows.
TOOLING = frozenset({"ValidationRule"})
