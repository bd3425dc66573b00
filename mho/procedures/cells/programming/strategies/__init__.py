"""Programming strategies beside write-verify (`asap`), and how one is found by name or loaded from a user's own code."""
