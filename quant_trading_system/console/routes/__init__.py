"""The routes of the control API, each declared with the role that it takes."""
