"""The tracker inside another program: pictures checked, wishes as settings; in the caller's loop or beside it."""
