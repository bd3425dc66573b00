"""``python -m mho``: the command line."""

from mho.cli.main import main

if __name__ == "__main__":
    main()
