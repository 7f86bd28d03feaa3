"""The subcommands of ``stinger`` that draw recordings, and what models say of them."""
