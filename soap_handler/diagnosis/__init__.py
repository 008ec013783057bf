"""Diagnosis: would the service take this request, and would EMS reach the service? It looks, and changes nothing."""
