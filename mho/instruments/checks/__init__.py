"""Is this bench sound? Identity, contact, and how somebody left it."""
