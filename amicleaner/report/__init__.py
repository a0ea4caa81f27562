"""Everything that people and jobs read: sentences, tables, machine-readable output, saved plans."""
