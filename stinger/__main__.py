"""``python -m stinger`` is the ``stinger`` command."""

from stinger.cli import main

if __name__ == "__main__":
    main()
