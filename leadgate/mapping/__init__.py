"""From a source's columns to the fields of a lead: which header means which field, and cleaning the values."""
