"""The pages for people who open the service in a browser, and the form that sends a test notification."""
