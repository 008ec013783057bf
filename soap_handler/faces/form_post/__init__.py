"""The Form Post face (FormPostVersion2): notifications as ``application/x-www-form-urlencoded``."""
