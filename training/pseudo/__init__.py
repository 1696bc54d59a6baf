"""Labels by machine for pictures of real hands: two witnesses, kept where they agree."""
