"""``python -m console.cli``: the program, where it is not on the ``PATH``."""

from console.cli import main

if __name__ == "__main__":
    main()
