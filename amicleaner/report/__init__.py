"""Everything that people and jobs read: tables, the line before the question, machine formats, saved plans."""
