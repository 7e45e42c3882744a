"""Texts to sentences, tokens and pieces; strings and offsets only, nothing about vectors."""
