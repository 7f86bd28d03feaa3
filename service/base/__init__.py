"""What every room of the daemon shares: values, states and errors that travel between them."""
