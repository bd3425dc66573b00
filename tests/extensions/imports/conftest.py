from open_windows import open_main

__all__ = ["open_main"]
