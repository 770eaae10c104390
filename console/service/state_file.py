"""The file in the data folder by which a running ``leadgate up`` tells what it runs.

Belongs here: its name, which ``status`` needs without all that ``up`` imports.
"""

from __future__ import annotations

from typing import Final

STATE_FILE: Final = "up.json"
