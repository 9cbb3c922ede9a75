"""Text as all rankings see it: sentences, passages, words and terms."""
