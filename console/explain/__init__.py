"""The story of one lead: ``leadgate explain`` and the answers that it gives."""
