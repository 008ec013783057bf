"""Safe XML: the parser, limits on structure, repair of broken documents, charsets. It knows no SOAP."""
