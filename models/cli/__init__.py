"""The subcommands of ``stinger`` that build training sets, train and measure models."""
