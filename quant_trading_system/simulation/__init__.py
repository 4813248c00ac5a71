"""A venue with its own books, and the seeded market that it trades."""
