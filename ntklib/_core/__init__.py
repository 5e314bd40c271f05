"""Foundations of all parts: compilation, threads, blocks of memory, checks, files, progress, drawing."""
