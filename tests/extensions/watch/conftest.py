from open_windows import writer

__all__ = ["writer"]
