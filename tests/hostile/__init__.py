"""Hostile input: words, files, texts and answers that nobody in their right mind gives."""
