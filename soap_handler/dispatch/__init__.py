"""Dispatch: claim a notification, call its handler, settle the outcome. dispatcher.py names the reading order."""
