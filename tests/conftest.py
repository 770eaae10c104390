"""What must be set before any test module is imported: some import Prefect, which sets up its log then."""

import os

os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")  # as ``flows.runtime.server.use_defaults`` does
