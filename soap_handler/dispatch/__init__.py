"""Dispatch: claim a notification, call the customer's handler, settle the outcome."""
