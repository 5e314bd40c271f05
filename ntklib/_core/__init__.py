"""What all parts rest on: compilation, threads, blocks of memory, checks, files, progress."""
