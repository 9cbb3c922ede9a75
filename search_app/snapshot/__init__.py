"""One generation, opened whole, with its encoders and passages."""
