from open_windows import open_main, open_window, session, writer

__all__ = ["open_main", "open_window", "session", "writer"]
