"""Ready-made handlers, one file each, for a service without code of its own. base says what a sink is."""
