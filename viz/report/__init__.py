"""A recording's tracks as one page to look at: pictures, angles, speeds, gaps, depth; an index page for many."""
