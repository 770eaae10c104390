"""When something is due: targets of the playbook's SLAs, business hours, pauses, and what counts as a touch. Pure."""
