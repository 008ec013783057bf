"""The console's pages for people, one file for each page or group; templates and styles lie beside this room."""
