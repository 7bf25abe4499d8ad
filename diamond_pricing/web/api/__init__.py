"""The operations of the API, one controller for each kind of thing."""
