"""What an index is and how one is made: reading, cleaning, chunking, encoding, storing."""
