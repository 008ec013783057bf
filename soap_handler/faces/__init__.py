"""Faces, one for each version of the API. A face turns a request's bytes into a push, and an outcome into an answer."""
