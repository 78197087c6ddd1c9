"""``python -m tpsgd_host`` is ``tpsgd-host``."""

from tpsgd_host.cli import main

if __name__ == "__main__":
    main()
