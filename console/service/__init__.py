"""``leadgate up``: the parts of an installation, started, watched and started again."""
