"""Execution algorithms: pure schedules, a pure walker for the parent order, impact models and the planner."""
