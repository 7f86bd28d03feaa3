"""Every key that a user can set, from defaults, file, environment and options to typed values."""
